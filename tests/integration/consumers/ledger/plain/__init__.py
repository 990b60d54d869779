"""Integration tests of `consumers.ledger.plain`."""
