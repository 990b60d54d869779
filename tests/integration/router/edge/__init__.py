"""Integration tests of `router.edge`."""
