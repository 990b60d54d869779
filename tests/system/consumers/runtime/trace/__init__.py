"""System tests of `consumers.runtime.trace`."""
