"""Reads partition logs below the consumer: bounds, batches, gaps and open transactions."""
