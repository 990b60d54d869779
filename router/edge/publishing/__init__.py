"""Publishes events to Kafka and returns once they are acknowledged."""
