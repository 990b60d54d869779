"""The work of the commands about the spool."""
