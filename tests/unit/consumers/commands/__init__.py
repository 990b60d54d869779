"""Tests of the whole command line."""
