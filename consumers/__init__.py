"""Consumers: services that read the events and apply each of them exactly once."""
