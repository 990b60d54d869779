"""System tests of Prometheus, its rules and the dashboards."""
