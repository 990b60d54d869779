"""Alembic scripts of the ledger's tables."""
