"""System tests of `consumers.notifications`."""
