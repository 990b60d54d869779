"""Cases of the runtime, without a database."""
