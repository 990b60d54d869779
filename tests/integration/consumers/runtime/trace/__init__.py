"""Integration tests of `consumers.runtime.trace`."""
