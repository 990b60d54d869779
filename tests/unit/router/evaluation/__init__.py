"""Unit tests of `router.evaluation`."""
