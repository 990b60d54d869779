"""The Alembic scripts of the counting consumer."""
