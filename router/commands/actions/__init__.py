"""The work of the commands, imported when one of them runs."""
