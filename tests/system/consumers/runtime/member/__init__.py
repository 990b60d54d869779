"""System tests of `consumers.runtime.member`."""
