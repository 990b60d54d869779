"""System tests of `router.broker`."""
