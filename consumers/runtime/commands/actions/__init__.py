"""The work of the commands about consumers, imported when one of them runs."""
