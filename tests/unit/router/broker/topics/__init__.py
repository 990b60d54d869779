"""Unit tests of `router.broker.topics`."""
