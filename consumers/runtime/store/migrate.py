"""Bring a consumer's schema up to the code: the runtime's scripts, then the consumer's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, inspect, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateSchema

from consumers.runtime.migrations.environment import ATTRIBUTE, Target
from consumers.runtime.service import Service

_LOCK = 0x7061_7972_6F75_7465
"""One upgrade per database at a time, of whatever consumer: "payroute" as a number."""

# A script may wait for its locks and run longer than anything a consumer does.
_PATIENCE = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


class SchemaOutdated(Exception):  # noqa: N818 - named for what it is
    """The consumer's schema is older than its code, or not there; the message says what to run."""


@dataclass(frozen=True)
class _History:
    """A package of scripts, and the table that says how far they were applied."""

    name: str
    package: str
    schema: str

    @property
    def version_table(self) -> str:
        return f"{self.name}_version"

    def config(self) -> Config:
        config = Config()
        parent, _, folder = self.package.rpartition(".")
        config.set_main_option("script_location", f"{parent}:{folder}")
        return config


async def upgrade(engine: AsyncEngine, service: Service) -> Sequence[str]:
    """Apply what is missing, all of it or nothing, and return the revisions as `ledger 0001`.

    A second upgrade meanwhile, of another process or host, waits for this one
    and then finds nothing to do. Within one process and event loop, upgrades
    of different databases have to follow each other: Alembic's context is
    global. A schema newer than the code is left as it is.
    """
    async with engine.begin() as connection:
        for setting in _PATIENCE:
            await connection.execute(select(func.set_config(setting, "0", literal(value=True))))
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        return await connection.run_sync(partial(_upgrade, service=service))


async def pending(connection: AsyncConnection, service: Service) -> bool:
    """Tell whether the schema is older than the code: `upgrade` would have something to do."""
    return await connection.run_sync(partial(_pending, service=service))


async def require_upgraded(connection: AsyncConnection, service: Service) -> None:
    """Return where the schema is as new as the code, raise SchemaOutdated where it is not."""
    if await pending(connection, service):
        message = (
            f"the database schema {service.schema!r} is older than this version of "
            f"{service.name}: run `payrouter db upgrade`"
        )
        raise SchemaOutdated(message)


def _histories(service: Service) -> Sequence[_History]:
    return (
        _History("runtime", "consumers.runtime.migrations", service.schema),
        _History(service.name, service.migrations, service.schema),
    )


def _pending(connection: Connection, service: Service) -> bool:
    return any(_missing(connection, history) for history in _histories(service))


def _upgrade(connection: Connection, service: Service) -> Sequence[str]:
    # CREATE SCHEMA IF NOT EXISTS wants the right to create even where there is nothing to do.
    if not inspect(connection).has_schema(service.schema):
        connection.execute(CreateSchema(service.schema))
    applied: list[str] = []
    for history in _histories(service):
        missing = _missing(connection, history)
        if missing:
            _apply(connection, history)
        applied.extend(f"{history.name} {revision}" for revision in missing)
    return applied


def _apply(connection: Connection, history: _History) -> None:
    config = history.config()
    config.attributes[ATTRIBUTE] = Target(connection, history.schema, history.version_table)
    command.upgrade(config, "heads")


def _missing(connection: Connection, history: _History) -> Sequence[str]:
    """Return the revisions of the code that are not in the schema, in their order."""
    scripts = ScriptDirectory.from_config(history.config())
    options = {"version_table": history.version_table, "version_table_schema": history.schema}
    current = MigrationContext.configure(connection, opts=options).get_current_heads()
    if any(not _knows(scripts, revision) for revision in current):
        # Applied by a later version of the code, which was rolled back since.
        return []
    missing = scripts.iterate_revisions("heads", current or "base")
    return [script.revision for script in missing][::-1]


def _knows(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False
