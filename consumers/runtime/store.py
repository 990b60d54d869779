"""The one database of a consumer: opens the transaction that holds fence and effect together."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.settings import ConsumerSettings

_MISSING = {"3F000", "42P01", "42703"}
"""What PostgreSQL answers where a schema, a table or a column is not there."""


class StoreUnavailable(Exception):  # noqa: N818 - named for what it is
    """A command cannot read the database; the message is one line and holds no password."""


class StoreAway(Exception):  # noqa: N818 - named for what it is
    """No connection to the database can be had, which says nothing about any record."""


@asynccontextmanager
async def transaction_of(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits where the block ends well, and rolls back otherwise.

    Raises StoreAway where it cannot be opened.
    """
    try:
        connection = await engine.connect()
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreAway from error
    async with aclosing(connection), connection.begin():
        yield connection


def open_engine(settings: ConsumerSettings) -> AsyncEngine:
    """Make the engine of a consumer process; connects on first use.

    A frozen process must not hold its locks for ever: the server ends a
    transaction that idles longer than the configured time, and TCP keepalives
    end the connection of a machine that is gone.
    """
    idle = int(settings.tuning.transaction_timeout_seconds * 1000)
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        pool_timeout=idle / 1000,
        connect_args={
            "timeout": 10,
            "command_timeout": idle / 1000,
            "server_settings": {
                "application_name": f"payrouter.{settings.name}",
                "idle_in_transaction_session_timeout": str(idle),
                "lock_timeout": str(idle // 2),
                "statement_timeout": str(idle),
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        },
    )


def open_upgrade_engine(settings: ConsumerSettings) -> AsyncEngine:
    """Make an engine for migrations, which may wait and run as long as they have to."""
    return open_patient_engine(settings, "upgrade")


def open_patient_engine(settings: ConsumerSettings, purpose: str = "command") -> AsyncEngine:
    """Make an engine whose statements run as long as they have to."""
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=1,
        max_overflow=0,
        connect_args={
            "timeout": 10,
            "server_settings": {"application_name": f"payrouter.{settings.name}.{purpose}"},
        },
    )


@asynccontextmanager
async def reading(
    settings: ConsumerSettings, *, patient: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Open one read-only connection, for a command: it sees one moment of the database.

    `patient` is for what reads everything, and takes as long as it takes.
    Raises StoreUnavailable where the database, or what is read, is not there.
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
    """Give an engine to a command that changes something.

    Raises StoreUnavailable where the database, or what is to be changed, is not there.
    """
    engine = open_engine(settings)
    try:
        with unavailability_explained(settings):
            yield engine
    finally:
        await engine.dispose()


@contextmanager
def unavailability_explained(settings: ConsumerSettings) -> Iterator[None]:
    """Turn what a driver says of a database that is not there, or not ready, into one line."""
    try:
        yield
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(_explanation(settings, error)) from error


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
