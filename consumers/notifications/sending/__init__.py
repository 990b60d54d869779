"""Sends messages: leases, texts and channels."""
