"""Integration tests of `router.evaluation`."""
