"""Reports the progress of consumers on each partition, and what blocks them."""
