"""`payrouter inventory decide`: shows an order, and records an operator's decision about it."""
