"""Stores deliveries on a disk while the broker is away, and publishes them once it is back."""
