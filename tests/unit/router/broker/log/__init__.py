"""Unit tests of `router.broker.log`."""
