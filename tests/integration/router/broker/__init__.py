"""Integration tests of `router.broker`."""
