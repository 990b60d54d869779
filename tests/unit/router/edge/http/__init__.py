"""Unit tests of `router.edge.http`."""
