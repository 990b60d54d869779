"""Tests of running processes, on their own Apache Kafka and PostgreSQL."""
