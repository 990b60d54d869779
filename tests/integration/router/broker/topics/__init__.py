"""Integration tests of `router.broker.topics`."""
