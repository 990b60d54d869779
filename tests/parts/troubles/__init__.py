"""Faults of topics, transactions, processes and the store, for any test."""
