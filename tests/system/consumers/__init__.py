"""System tests of `consumers`."""
