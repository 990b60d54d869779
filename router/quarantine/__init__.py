"""Reads, explains and replays deliveries on quarantine, and explains refused ones."""
