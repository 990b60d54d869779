"""The counting consumer and the members that run it."""
