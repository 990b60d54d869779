"""System tests of `consumers.runtime.apply`."""
