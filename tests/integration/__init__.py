"""Tests on the broker and the database that a run shares."""
