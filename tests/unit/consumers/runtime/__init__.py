"""Unit tests of `consumers.runtime`."""
