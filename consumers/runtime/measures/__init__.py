"""Measures a consumer: its metrics, its lag, and what waits in its store."""
