"""Unit tests of `router.edge.refused`."""
