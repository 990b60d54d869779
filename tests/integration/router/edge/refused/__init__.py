"""Integration tests of `router.edge.refused`."""
