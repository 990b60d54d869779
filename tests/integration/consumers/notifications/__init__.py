"""Integration tests of `consumers.notifications`."""
