"""A live system with Prometheus, and the faults it has to report."""
