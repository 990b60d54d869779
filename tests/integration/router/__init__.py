"""Integration tests of `router`."""
