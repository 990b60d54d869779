"""Servers under load: starts them, sends deliveries, reads clocks and memory."""
