"""Integration tests of `consumers.console`."""
