"""The one database of a consumer: opens the transaction that holds fence and effect together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Connection, event, make_url, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.settings import ConsumerSettings

ALIVE_SECONDS = 5.0
"""How long the server may take to answer a probe of a connection."""

_ABORTED = "25P02"
"""PostgreSQL's error code for a statement in an aborted transaction."""

_MISSING = {"3F000", "42P01", "42703"}
"""PostgreSQL's error codes for a missing schema, table or column."""


class StoreUnavailable(Exception):  # noqa: N818 - named for what it is
    """A command cannot read the database; the message is one line and holds no password."""

    exit_code = 1


class StoreAway(Exception):  # noqa: N818 - named for what it is
    """The database is unreachable, for which no record is to blame."""


@asynccontextmanager
async def transaction_of(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits if the block succeeds, and rolls back otherwise.

    Raises StoreAway if it cannot be opened.
    """
    try:
        connection = await engine.connect()
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreAway from error
    async with aclosing(connection), connection.begin():
        yield connection


async def is_alive(connection: AsyncConnection) -> bool:
    """Return whether the server answers on a connection, even if its transaction is aborted."""
    error = await _failing(connection)
    return error is None or _says_aborted(error)


async def is_aborted(connection: AsyncConnection) -> bool:
    """Return whether a failed statement has aborted the transaction."""
    error = await _failing(connection)
    return error is not None and _says_aborted(error)


async def _failing(connection: AsyncConnection) -> Exception | None:
    """Return the exception of a statement that is always valid, None if it succeeds."""
    try:
        async with asyncio.timeout(ALIVE_SECONDS):
            await connection.execute(select(1))
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return error
    return None


def _says_aborted(error: Exception) -> bool:
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) == _ABORTED


_FIRST_FAILURE = "payrouter_first_failure"


def note_first_failures(engine: AsyncEngine) -> None:
    """Record the first failed statement of each connection of an engine.

    A rollback to a savepoint deletes the record.
    """
    if not event.contains(engine.sync_engine, "handle_error", _note_failure):
        event.listen(engine.sync_engine, "handle_error", _note_failure)
        event.listen(engine.sync_engine, "rollback_savepoint", _forget_failure)


def _note_failure(context: ExceptionContext) -> None:
    connection = context.connection
    if connection is not None and not connection.closed and not connection.invalidated:
        # SQLAlchemy's exception, because the driver's text may contain values.
        found = context.sqlalchemy_exception or context.original_exception
        connection.info.setdefault(_FIRST_FAILURE, found)


def _forget_failure(connection: Connection, _name: str, _context: None) -> None:
    if not connection.closed and not connection.invalidated:
        connection.info.pop(_FIRST_FAILURE, None)


def forget_first_failure(connection: AsyncConnection) -> None:
    """Delete the record of a failed statement."""
    _info(connection).pop(_FIRST_FAILURE, None)


def first_failure(connection: AsyncConnection) -> BaseException | None:
    """Return the exception of the first statement that failed since `forget_first_failure`.

    A lost connection has no record.
    """
    found = _info(connection).get(_FIRST_FAILURE)
    return found if isinstance(found, BaseException) else None


def _info(connection: AsyncConnection) -> dict[Any, Any]:
    own = connection.sync_connection
    return {} if own is None or own.closed or own.invalidated else own.info


async def check_constraints(connection: AsyncConnection) -> None:
    """Check deferred constraints now; raises too if a failed statement was suppressed."""
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


@asynccontextmanager
async def reading(
    settings: ConsumerSettings, *, patient: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Open one read-only connection for a command, with one snapshot of the database.

    `patient` removes the time-outs, for a command that reads everything.
    Raises StoreUnavailable if the database, or the table that is read, is missing.
    """
    # Only a command that reads needs them, and every consumer's handler imports this module.
    from consumers.runtime.store.engines import open_engine, open_patient_engine  # noqa: PLC0415

    engine = open_patient_engine(settings) if patient else open_engine(settings)
    try:
        with unavailability_explained(settings):
            async with engine.connect() as connection:
                await connection.execution_options(
                    postgresql_readonly=True, isolation_level="REPEATABLE READ"
                )
                yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def acting(settings: ConsumerSettings) -> AsyncIterator[AsyncEngine]:
    """Open an engine for a command that writes.

    Raises StoreUnavailable if the database, or the table that is written, is missing.
    """
    from consumers.runtime.store.engines import open_engine  # noqa: PLC0415

    engine = open_engine(settings)
    try:
        with unavailability_explained(settings):
            yield engine
    finally:
        await engine.dispose()


@contextmanager
def unavailability_explained(settings: ConsumerSettings) -> Iterator[None]:
    """Turn a driver's error about a missing or unready database into StoreUnavailable."""
    try:
        yield
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(_explanation(settings, error)) from error


def is_not_set_up(error: DBAPIError) -> bool:
    """Return whether PostgreSQL reports a missing schema, table or column."""
    return getattr(error.orig, "sqlstate", None) in _MISSING


def _explanation(settings: ConsumerSettings, error: Exception) -> str:
    url = make_url(settings.database_url.get_secret_value())
    # A server behind a Unix socket is named in the query.
    host = url.host or url.query.get("host", "localhost")
    where = f"{url.database} on {host}"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if getattr(cause, "sqlstate", None) in _MISSING:
        return (
            f"the database {where} is not set up for {settings.name}, or for an older version: "
            "run `payrouter db upgrade`"
        )
    return f"cannot read the database {where}: {_one_line(cause)}"


def _one_line(cause: BaseException) -> str:
    from consumers.runtime.store.connection_problems import (  # noqa: PLC0415
        encryption_problem,
        pooler_problem,
    )

    lines = str(cause).splitlines()
    first = lines[0] if lines else type(cause).__name__
    state = str(getattr(cause, "sqlstate", None))
    return encryption_problem(cause) or pooler_problem(state, message_of(cause)) or first


def message_of(error: BaseException) -> str:
    """Return the first line of what the server or the pooler says, without the driver's class."""
    # str() of an asyncpg exception fails if it has no message.
    return str(next(iter((error.__cause__ or error).args), "")).partition("\n")[0]
