"""Roles of PostgreSQL with least privilege: an owner, one per consumer, a reader."""
