"""Parts of the tests of the spool."""
