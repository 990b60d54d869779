"""Bodies of BlockATM: those of its pages say so in their name."""
