"""System tests of `router.edge`."""
