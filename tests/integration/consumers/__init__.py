"""Integration tests of `consumers`."""
