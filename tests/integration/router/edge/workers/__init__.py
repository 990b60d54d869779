"""Integration tests of `router.edge.workers`."""
