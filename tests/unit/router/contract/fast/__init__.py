"""Tests of the shorter ways to read and make events."""
