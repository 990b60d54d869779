"""Integration tests of `consumers.runtime.store`."""
