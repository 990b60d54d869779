"""Unit tests of `router.secrets`."""
