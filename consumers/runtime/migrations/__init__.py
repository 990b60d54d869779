"""Alembic scripts of the tables the runtime keeps in every consumer's schema."""
