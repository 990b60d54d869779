"""The ledger's shorter way of a plain batch: the plan and rows of its handler, fewer statements."""
