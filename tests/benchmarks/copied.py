"""COPY of rows into tables with the same indexes: the least that PostgreSQL takes for them."""

import io
from collections.abc import Mapping
from typing import Any

SOURCE = "ledger"
FLOOR = "floor"
"""Schema of the copies, which have neither triggers nor foreign keys."""


async def make_tables(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """Make a copy of every table of the ledger, with its indexes and without rows."""
    await connection.execute(f'CREATE SCHEMA "{FLOOR}"')
    for name in await tables_of(connection):
        like = f'(LIKE "{SOURCE}"."{name}" INCLUDING INDEXES INCLUDING DEFAULTS INCLUDING IDENTITY)'
        await connection.execute(f'CREATE TABLE "{FLOOR}"."{name}" {like}')


async def transaction_number(connection: Any) -> int:  # noqa: ANN401 - asyncpg has no types
    """Return the number from which on transactions have not begun yet."""
    return int(await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))


async def rows_since(connection: Any, number: int) -> Mapping[str, bytes]:  # noqa: ANN401 - as above
    """Return the rows that transactions from `number` on have written, by table, as COPY data."""
    found = {}
    for name in await tables_of(connection):
        written = io.BytesIO()
        query = f'SELECT * FROM "{SOURCE}"."{name}" WHERE xmin::text::bigint >= $1'
        await connection.copy_from_query(query, number, output=written, format="binary")
        found[name] = written.getvalue()
    return found


async def empty(connection: Any, rows: Mapping[str, bytes]) -> None:  # noqa: ANN401 - as above
    """Empty the copies of these tables."""
    tables = ", ".join(f'"{FLOOR}"."{name}"' for name in rows)
    await connection.execute(f"TRUNCATE {tables}")


async def copy(connection: Any, rows: Mapping[str, bytes]) -> None:  # noqa: ANN401 - as above
    """Copy the rows in one transaction."""
    async with connection.transaction():
        for name, data in rows.items():
            source = io.BytesIO(data)
            await connection.copy_to_table(name, schema_name=FLOOR, source=source, format="binary")


async def tables_of(connection: Any) -> list[str]:  # noqa: ANN401 - asyncpg has no types
    """Return the names of the ledger's tables."""
    query = """
        SELECT relname FROM pg_class
        WHERE relkind = 'r' AND relnamespace = $1::regnamespace ORDER BY relname
    """
    return [row["relname"] for row in await connection.fetch(query, SOURCE)]
