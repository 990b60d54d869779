"""Measures a consumer: its metrics, its lag, and the backlog in its store."""
