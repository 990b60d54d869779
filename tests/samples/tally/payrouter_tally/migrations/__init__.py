"""The tally's scripts."""
