"""Unit tests of `router.providers.blockbee`."""
