"""Tests that only a real Apache Kafka can answer, and the Kafka they run on."""
