"""Integration tests of `router.edge.http`."""
