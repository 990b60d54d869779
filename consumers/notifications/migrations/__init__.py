"""The Alembic history of the notifications' own tables."""
