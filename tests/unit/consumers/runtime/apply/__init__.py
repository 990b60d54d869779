"""Integration tests of `consumers.runtime.apply`."""
