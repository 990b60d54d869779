"""Makes a database read-only, as in a failover, and writable again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_READ_ONLY = 'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
_AGAIN = 'ALTER DATABASE "{name}" RESET default_transaction_read_only'
_HANG_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = :name AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """Make a database refuse all writes (SQLSTATE 25006) while the block runs.

    All clients are disconnected before and after, as in a failover.
    """
    await _executed(url, _READ_ONLY)
    try:
        yield
    finally:
        await _executed(url, _AGAIN)


async def _executed(url: str, statement: str) -> None:
    name = str(make_url(url).database)
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET default_transaction_read_only = off"))
            await connection.execute(text(statement.format(name=name)))
            await connection.execute(text(_HANG_UP), {"name": name})
    finally:
        await engine.dispose()
