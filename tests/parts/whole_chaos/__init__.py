"""The chaos run: a whole deployment under seeded faults, and what its sinks must hold."""
