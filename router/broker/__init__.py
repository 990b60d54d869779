"""Talk to Kafka: the adapter to aiokafka, the contract of topics, the admin client."""
