"""Fault runs: the real programs are killed again and again, and the books have to be right."""
