"""What is done to the database behind the system's back, in the test's own database."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
from sqlalchemy import make_url

_PATIENCE_SECONDS: Final = 30.0


def execute(database_url: str, *statements: str) -> None:
    """Run statements, each on its own."""
    asyncio.run(_execute(database_url, statements))


def value(database_url: str, query: str) -> Any:  # noqa: ANN401 - type of the column
    """Return the one value of a query."""
    return asyncio.run(_value(database_url, query))


@contextlib.contextmanager
def held(database_url: str, statement: str) -> Iterator[None]:
    """Keep a transaction open that has run a statement, such as a lock, while the block runs."""
    over, taken = threading.Event(), threading.Event()
    work = _hold(database_url, statement, taken, over)
    thread = threading.Thread(target=lambda: asyncio.run(work), daemon=True)
    thread.start()
    try:
        assert taken.wait(_PATIENCE_SECONDS), statement
        yield
    finally:
        over.set()
        thread.join()


async def _execute(database_url: str, statements: tuple[str, ...]) -> None:
    connection = await _connected(database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _value(database_url: str, query: str) -> Any:  # noqa: ANN401
    connection = await _connected(database_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _hold(
    database_url: str, statement: str, taken: threading.Event, over: threading.Event
) -> None:
    connection = await _connected(database_url)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            taken.set()
            await asyncio.to_thread(over.wait)
    finally:
        await connection.close()


async def _connected(database_url: str) -> Any:  # noqa: ANN401 - asyncpg publishes no types
    url = make_url(database_url).set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False))
