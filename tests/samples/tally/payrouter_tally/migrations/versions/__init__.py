"""The scripts themselves, in the order of the number that begins their name."""
