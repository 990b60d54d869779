"""Unit tests of `router.commands`."""
