"""Integration tests of `router.commands`."""
