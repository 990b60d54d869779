"""Unit tests of `consumers.runtime.progress`."""
