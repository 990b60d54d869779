"""Integration tests of plain batches of the inventory."""
