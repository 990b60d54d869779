"""System tests of `router.edge.publishing`."""
