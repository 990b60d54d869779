"""Faults, and the programs they hit."""
