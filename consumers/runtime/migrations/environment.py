"""The Alembic environment of every consumer: an open connection in, scripts applied.

There is no ini file, no connection of its own and no logging setup: whoever
upgrades hands over the connection and what it is about in
`Config.attributes`, and the transaction is the caller's.
"""

from dataclasses import dataclass

from alembic import context
from sqlalchemy import Connection

ATTRIBUTE = "target"
"""Under which name of `Config.attributes` the `Target` is found."""


@dataclass(frozen=True)
class Target:
    """What is upgraded: a schema over an open connection, and which table says how far it is."""

    connection: Connection
    schema: str
    version_table: str


def target() -> Target:
    """Return what the running upgrade is about."""
    found = context.config.attributes[ATTRIBUTE]
    if not isinstance(found, Target):
        message = f"attribute {ATTRIBUTE!r} is not a Target"
        raise TypeError(message)
    return found


def schema() -> str:
    """Return the schema a script creates its tables in."""
    return target().schema


def run() -> None:
    """Apply the scripts; the whole of an `env.py`."""
    goal = target()
    context.configure(
        connection=goal.connection,
        version_table=goal.version_table,
        version_table_schema=goal.schema,
    )
    with context.begin_transaction():
        context.run_migrations()
