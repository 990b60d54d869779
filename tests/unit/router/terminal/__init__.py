"""Tests of the command-line kit."""
