"""The one database of a consumer: opens the transaction that holds fence and effect together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Connection, event, make_url, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.settings import ConsumerSettings

ALIVE_SECONDS = 5.0
"""How long the server may take to answer a probe of a connection."""

_READ_ONLY = "25006"
"""PostgreSQL's error code for a write in a read-only transaction."""

_ABORTED = "25P02"
"""PostgreSQL's error code for a statement in an aborted transaction."""

_MISSING = {"3F000", "42P01", "42703"}
"""PostgreSQL's error codes for a missing schema, table or column."""


WHOLE_TRANSACTION = 3
"""Longest duration of a whole transaction, as a multiple of its longest idle time."""

KNOWS_TRANSACTION_TIMEOUT = 17
"""First version of PostgreSQL with `transaction_timeout`."""


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


def open_engine(settings: ConsumerSettings, purpose: str | None = None) -> AsyncEngine:
    """Make the engine of a consumer process; connects on first use.

    A frozen process must not hold its locks forever: the server ends a
    transaction that idles longer than the configured time, or lasts longer
    than a few times that, and TCP keepalives end the connection of a machine
    that has disappeared. The server ends a statement before the driver's time-out,
    so that the error names the cause.
    """
    idle = int(settings.tuning.transaction_timeout_seconds * 1000)
    engine = create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_timeout=idle / 1000,
        connect_args={
            "timeout": min(10, idle / 1000),
            "command_timeout": idle / 1000 * 1.5,
            "server_settings": {
                "application_name": ".".join(filter(None, ("payrouter", settings.name, purpose))),
                "idle_in_transaction_session_timeout": str(idle),
                "lock_timeout": str(idle // 2),
                "statement_timeout": str(idle),
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        },
    )
    _end_long_transactions(engine, idle * WHOLE_TRANSACTION)
    _end_read_only_sessions(engine)
    return _renewed(engine, settings)


def _renewed(engine: AsyncEngine, settings: ConsumerSettings) -> AsyncEngine:
    """Make an engine connect with the current URL, because its password may have been rotated."""
    url_now = settings.database_url_now
    if url_now is None:
        return engine

    @event.listens_for(engine.sync_engine, "do_connect")
    def renew(dialect: Any, _record: object, _args: object, options: dict[str, Any]) -> None:  # noqa: ANN401 - SQLAlchemy's
        _, current = dialect.create_connect_args(make_url(url_now()))
        options.update(current)

    return engine


def _end_long_transactions(engine: AsyncEngine, milliseconds: int) -> None:
    """Make the server limit the duration of every transaction.

    None of its other time-outs applies while it waits for the rest of a statement
    from a frozen process.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def bound(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        if connection.driver_connection.get_server_version().major >= KNOWS_TRANSACTION_TIMEOUT:
            statement = f"SET transaction_timeout = {milliseconds}"
            connection.run_async(lambda driver: driver.execute(statement))


def _end_read_only_sessions(engine: AsyncEngine) -> None:
    """Replace connections as soon as the server refuses a write on one.

    A session that began while the database was read-only, like a standby,
    may stay read-only after the database accepts writes again.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def replace(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True


def open_upgrade_engine(settings: ConsumerSettings) -> AsyncEngine:
    """Make an engine for migrations, which may wait and run without a time-out."""
    return open_patient_engine(settings, "upgrade")


def open_patient_engine(settings: ConsumerSettings, purpose: str = "command") -> AsyncEngine:
    """Make an engine whose statements have no time-out."""
    engine = create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
        connect_args={
            "timeout": 10,
            "server_settings": {"application_name": f"payrouter.{settings.name}.{purpose}"},
        },
    )
    return _renewed(engine, settings)


@asynccontextmanager
async def reading(
    settings: ConsumerSettings, *, patient: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Open one read-only connection for a command, with one snapshot of the database.

    `patient` removes the time-outs, for a command that reads everything.
    Raises StoreUnavailable if the database, or the table that is read, is missing.
    """
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
    return f"cannot read the database {where}: {_first_line(cause)}"


def _first_line(cause: BaseException) -> str:
    lines = str(cause).splitlines()
    return lines[0] if lines else type(cause).__name__
