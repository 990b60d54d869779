"""Tests of the command line that need a process."""
