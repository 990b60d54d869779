"""The system as its users see it: through Prometheus, its rules and the dashboards."""
