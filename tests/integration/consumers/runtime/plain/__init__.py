"""Integration tests of `consumers.runtime.plain`."""
