"""The ledger: what it books, what its database refuses, what its commands print."""
