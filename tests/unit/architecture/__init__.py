"""Unit tests of the layout of the code."""
