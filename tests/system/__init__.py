"""Tests of running processes, on an Apache Kafka and a PostgreSQL of their own."""
