"""Tests of the console with running processes."""
