"""The simulated world: consumers, what happens to them, and what they are sent."""
