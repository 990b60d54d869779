"""Integration tests of the page Search."""
