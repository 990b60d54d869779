"""Unit tests of `router.broker`."""
