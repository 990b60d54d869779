"""Attacks on a running edge and the genuine deliveries next to them."""
