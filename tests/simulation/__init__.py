"""Deterministic simulation of consumers: the real code on a model of store, broker and time."""
