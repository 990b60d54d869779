"""Integration tests of the layout of the code."""
