"""Events and orders."""
