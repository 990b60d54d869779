"""Command-line kit shared by all commands: options, output, exit codes, lazy command trees."""
