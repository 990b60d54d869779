"""Command-line kit shared by all commands."""
