"""System tests of `consumers.ledger`."""
