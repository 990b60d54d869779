"""Publishes events to Kafka and returns after the acknowledgement."""
