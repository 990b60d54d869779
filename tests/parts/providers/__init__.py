"""Genuine deliveries of each gateway."""
