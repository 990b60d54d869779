"""A model of a log, and topic administration."""
