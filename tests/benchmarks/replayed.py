"""The statements of plain batches, sent again with the values they had: the limit of the schema."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.benchmarks.copied import SOURCE, tables_of

Statement = tuple[str, Sequence[Any]]

_ON_TRUNCATE: Final = 32
"""Bit of the type of a trigger that TRUNCATE fires."""


@dataclass
class Recording:
    """The statements of each batch that a consumer's plain way sends while this is `running`."""

    batches: list[list[Statement]] = field(default_factory=list)
    running: bool = False
    _open: list[Statement] = field(default_factory=list)

    def listen(self, engine: AsyncEngine) -> None:
        """Note the statements of every connection that the engine opens from now on."""

        @event.listens_for(engine.sync_engine, "connect")
        def opened(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
            connection.driver_connection.add_query_logger(self._note)

    def _note(self, sent: Any) -> None:  # noqa: ANN401 - asyncpg has no types
        if self.running and sent.query.startswith("COMMIT") and self._open:
            self.batches.append(self._open)
            self._open = []
        # Others are asyncpg's own, about types.
        if self.running and sent.args and f"{SOURCE}." in sent.query:
            self._open.append((sent.query, sent.args))

    @asynccontextmanager
    async def only_this(self) -> AsyncIterator[None]:
        """Record until the block ends, and nothing from before."""
        self.batches, self._open = [], []
        self.running = True
        try:
            yield
            # asyncpg notes a statement in the next turn of the loop.
            await asyncio.sleep(0)
        finally:
            self.running = False


async def let_empty(connection: Any) -> Sequence[str]:  # noqa: ANN401 - asyncpg has no types
    """Drop the triggers that refuse to empty a table; return the tables that have no rows yet.

    No insert or update fires these triggers.
    """
    query = """
        SELECT tgname, tgrelid::regclass::text AS name FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = $1::regnamespace AND tgtype & $2 <> 0
    """
    for row in await connection.fetch(query, SOURCE, _ON_TRUNCATE):
        await connection.execute(f'DROP TRIGGER "{row["tgname"]}" ON {row["name"]}')
    counts = {
        name: await connection.fetchval(f'SELECT count(*) FROM "{SOURCE}"."{name}"')
        for name in await tables_of(connection)
    }
    return [name for name, count in counts.items() if count == 0]


async def empty(connection: Any, names: Sequence[str]) -> None:  # noqa: ANN401 - as above
    """Empty tables of the ledger, and number their rows from 1 again."""
    tables = ", ".join(f'"{SOURCE}"."{name}"' for name in names)
    await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")


async def replay(connection: Any, batches: Sequence[Sequence[Statement]]) -> None:  # noqa: ANN401 - as above
    """Send the statements of batches again, to empty tables.

    The lock of the fences is sent through SQLAlchemy, so it is not among those recorded.
    """
    for statements in batches:
        async with connection.transaction():
            await connection.fetch(f'SELECT * FROM "{SOURCE}".fence FOR UPDATE')
            for statement, values in statements:
                await connection.fetch(statement, *values)
