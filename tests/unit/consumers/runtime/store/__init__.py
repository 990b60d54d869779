"""The store, without a database."""
