"""Integration tests of `router.configuration`."""
