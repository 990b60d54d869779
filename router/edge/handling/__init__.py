"""Handles a delivery in one step, from its whole request to its records and its answer."""
