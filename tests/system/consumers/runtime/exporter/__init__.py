"""System tests of `consumers.runtime.exporter`."""
