"""Migration scripts; the number at the start of each name gives the order."""
