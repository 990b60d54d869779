"""Unit tests of `consumers.inventory`."""
