"""Unit tests of `consumers`."""
