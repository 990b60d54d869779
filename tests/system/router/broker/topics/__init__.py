"""System tests of `router.broker.topics`."""
