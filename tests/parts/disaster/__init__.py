"""Consumers of one shop whose database is restored, or whose cluster is replaced."""
