"""Stores bounded samples of refused deliveries, masked, for operators."""
