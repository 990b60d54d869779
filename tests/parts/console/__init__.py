"""Parts of the tests of the console."""
