"""Unit tests of `consumers.notifications`."""
