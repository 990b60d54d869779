"""A real API server of Kubernetes, without nodes, that the chart's objects are applied to."""
