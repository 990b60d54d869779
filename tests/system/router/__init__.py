"""System tests of `router`."""
