"""The mapping language: conditions, minor units, paths, movements."""
