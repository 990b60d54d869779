"""Attacks on a running edge, and what genuine deliveries experience meanwhile."""
