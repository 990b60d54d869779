"""Mutants: the code with a bug seeded into it, which the simulation has to find."""
