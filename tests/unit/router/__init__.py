"""Unit tests of `router`."""
