"""What can happen to topics, transactions, processes and the store: done by hand, for any test."""
