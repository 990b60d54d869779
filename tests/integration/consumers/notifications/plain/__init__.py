"""Integration tests of `consumers.notifications.plain`."""
