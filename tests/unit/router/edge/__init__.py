"""Unit tests of `router.edge`."""
