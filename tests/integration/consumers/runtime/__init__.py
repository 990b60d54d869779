"""Integration tests of `consumers.runtime`."""
