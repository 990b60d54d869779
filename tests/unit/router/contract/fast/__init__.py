"""Unit tests of `router.contract`."""
