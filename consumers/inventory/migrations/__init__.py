"""The Alembic scripts of the inventory's tables."""
