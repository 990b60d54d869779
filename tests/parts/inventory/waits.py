"""Waits until a session is blocked by a lock."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.parts.waiting import eventually


async def somebody_waits(engine: AsyncEngine) -> None:
    """Return when a session of this database waits for another session's lock."""
    blocked = text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE NOT granted AND datname = current_database())"
    )

    async def waits() -> bool:
        async with engine.connect() as connection:
            return bool(await connection.scalar(blocked))

    await eventually(waits, "a session that waits for a lock", pause=0.01)
