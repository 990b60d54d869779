"""Apache Kafka, downloaded and run for tests."""
