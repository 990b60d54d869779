"""`payrouter ledger transfer` moves money between two accounts of a merchant, with a reason."""
