"""Checks that the project's prose is plain English: `python -m tests.prose`."""
