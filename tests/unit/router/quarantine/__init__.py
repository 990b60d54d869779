"""Unit tests of `router.quarantine`."""
