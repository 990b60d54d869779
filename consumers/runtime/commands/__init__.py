"""Operator commands about one consumer."""
