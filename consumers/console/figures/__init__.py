"""What edges count for each endpoint, over time: sampled here, or read from Prometheus."""
