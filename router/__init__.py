"""The edge: one HTTP request in, one verified and normalized event on Kafka out."""
