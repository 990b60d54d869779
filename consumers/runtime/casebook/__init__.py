"""Reads the open cases of consumers, and keeps what operators decide about them."""
