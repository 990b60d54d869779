"""Unit tests of `router.edge.workers`."""
