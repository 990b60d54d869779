"""Deliveries: the list, one in detail, replay."""
