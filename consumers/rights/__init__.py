"""Prints the rights that each process needs on Kafka, as commands that grant them."""
