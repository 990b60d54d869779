"""Talks to Kafka: clients, the adapter to aiokafka, the topic contract, partition logs."""
