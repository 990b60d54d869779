"""What every provider has to hold, run on each that is discovered without being asked."""
