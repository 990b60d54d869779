"""Migration scripts, numbered in the order they run."""
