"""Reads, explains and replays quarantined and refused deliveries."""
