"""Integration tests of `consumers.ledger`."""
