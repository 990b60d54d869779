"""Tests of the open cases of consumers."""
