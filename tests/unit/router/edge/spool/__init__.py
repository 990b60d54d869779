"""Unit tests of `router.edge.publishing`."""
