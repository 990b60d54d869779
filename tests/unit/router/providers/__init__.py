"""Unit tests of `router.providers`."""
