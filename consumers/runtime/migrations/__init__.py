"""Alembic scripts for the runtime's tables, which are in every consumer's schema."""
