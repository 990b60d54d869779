"""The notifications consumer: who is told of what, once."""
