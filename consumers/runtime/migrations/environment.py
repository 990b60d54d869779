"""Alembic environment of every consumer: applies scripts over the caller's connection.

It has no ini file, opens no connection and sets up no logging. The caller passes
the connection and target in `Config.attributes`, and owns the transaction.
"""

from dataclasses import dataclass

from alembic import context
from sqlalchemy import Connection

ATTRIBUTE = "target"
"""Key of the `Target` in `Config.attributes`."""


@dataclass(frozen=True)
class Target:
    """Schema to upgrade, an open connection, and the table that stores the current version."""

    connection: Connection
    schema: str
    version_table: str


def target() -> Target:
    """Return the target of the running upgrade."""
    found = context.config.attributes[ATTRIBUTE]
    if not isinstance(found, Target):
        message = f"attribute {ATTRIBUTE!r} is not a Target"
        raise TypeError(message)
    return found


def schema() -> str:
    """Return the schema in which a script creates its tables."""
    return target().schema


def run() -> None:
    """Apply the scripts; an `env.py` only has to call this."""
    found = target()
    context.configure(
        connection=found.connection,
        version_table=found.version_table,
        version_table_schema=found.schema,
    )
    with context.begin_transaction():
        context.run_migrations()
