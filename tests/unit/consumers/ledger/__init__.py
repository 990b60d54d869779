"""Unit tests of `consumers.ledger`."""
