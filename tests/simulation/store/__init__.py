"""Model of a consumer's database in memory: transactions, row locks and faults."""
