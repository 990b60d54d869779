"""Books and worked examples for tests of the ledger."""
