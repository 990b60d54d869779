"""Orders and stock for tests of the inventory."""
