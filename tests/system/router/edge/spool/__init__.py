"""System tests of `router.edge.spool`."""
