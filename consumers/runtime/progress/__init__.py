"""Reports how far consumers have come on each partition, and what holds them up."""
