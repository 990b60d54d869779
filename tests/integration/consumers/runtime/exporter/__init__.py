"""Integration tests of `consumers.runtime.exporter`."""
