"""Integration tests of `consumers.runtime.measures`."""
