"""System tests of `consumers.runtime.store`."""
