"""Unit tests of `router.edge.handling`."""
