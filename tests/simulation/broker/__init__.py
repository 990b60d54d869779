"""Model of a Kafka cluster in memory: logs with their history, the client, and the producer."""
