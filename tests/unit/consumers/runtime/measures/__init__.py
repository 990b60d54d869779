"""Unit tests of `consumers.runtime.measures`."""
