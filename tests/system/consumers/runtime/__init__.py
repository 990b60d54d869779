"""System tests of `consumers.runtime`."""
