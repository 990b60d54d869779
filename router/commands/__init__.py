"""Commands of the edge, its topics and its quarantine."""
