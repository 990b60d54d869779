"""Unit tests of `consumers.runtime.trace`."""
