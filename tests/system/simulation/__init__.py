"""The simulation in its short form."""
