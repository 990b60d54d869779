"""Member of the consumer group: partitions, the loop, and the composition root."""
