"""Exports the progress of consumer groups to Prometheus, even for consumers that are down."""
