"""Integration tests of `consumers.inventory`."""
