"""The pages of the console, one folder each."""
