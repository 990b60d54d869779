"""Bring a consumer's schema up to the code: the runtime's scripts, then the consumer's own."""

from collections.abc import Sequence
from functools import partial

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, inspect, literal, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from consumers.runtime.migrations.environment import ATTRIBUTE, Target
from consumers.runtime.service import Service
from consumers.runtime.store.schema_version import History, histories

LOCK = 0x7061_7972_6F75_7465
"""One upgrade per database at a time, for all consumers: "payroute" as a number."""

_DEADLOCK = "40P01"
_TRIES = 10
"""Tries in all: a running consumer locks the same tables in another order."""

# A script may wait for locks and run longer than any other statement.
_PATIENCE = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


def config_of(history: History) -> Config:
    """Return the Alembic configuration of a history."""
    config = Config()
    parent, _, folder = history.package.rpartition(".")
    config.set_main_option("script_location", f"{parent}:{folder}")
    return config


async def upgrade(engine: AsyncEngine, service: Service) -> Sequence[str]:
    """Apply what is missing, all of it or nothing, and return the revisions as `ledger 0001`.

    A concurrent upgrade by another process or host waits for this one and then has
    nothing to do. Within one process and event loop, run upgrades of different
    databases one after the other: Alembic's context is global. A schema newer than
    the code is left unchanged. A script that deadlocks with a running consumer is
    rolled back, and everything is tried again.
    """
    for _ in range(_TRIES - 1):
        try:
            return await _upgraded(engine, service)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                raise
    return await _upgraded(engine, service)


async def _upgraded(engine: AsyncEngine, service: Service) -> Sequence[str]:
    async with engine.begin() as connection:
        for setting in _PATIENCE:
            await connection.execute(select(func.set_config(setting, "0", literal(value=True))))
        await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        return await connection.run_sync(partial(_upgrade, service=service))


def _upgrade(connection: Connection, service: Service) -> Sequence[str]:
    # CREATE SCHEMA IF NOT EXISTS needs the right to create even if the schema exists.
    if not inspect(connection).has_schema(service.schema):
        connection.execute(CreateSchema(service.schema))
    applied: list[str] = []
    for history in histories(service):
        missing = _missing(connection, history)
        if missing:
            _apply(connection, history)
        applied.extend(f"{history.name} {revision}" for revision in missing)
    return applied


def _apply(connection: Connection, history: History) -> None:
    config = config_of(history)
    config.attributes[ATTRIBUTE] = Target(connection, history.schema, history.version_table)
    command.upgrade(config, "heads")


def _missing(connection: Connection, history: History) -> Sequence[str]:
    """Return the revisions of the code that are not in the schema, in their order."""
    scripts = ScriptDirectory.from_config(config_of(history))
    options = {"version_table": history.version_table, "version_table_schema": history.schema}
    current = MigrationContext.configure(connection, opts=options).get_current_heads()
    if any(not _knows(scripts, revision) for revision in current):
        # Applied by a later version of the code, which was rolled back since.
        return []
    # `implicit_base`, as in Alembic's own upgrade: a branch of which nothing is applied is missing.
    missing = scripts.iterate_revisions("heads", current or "base", implicit_base=True)
    return [script.revision for script in missing][::-1]


def _knows(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False
