"""Waits until a session is blocked by a lock."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


async def somebody_waits(engine: AsyncEngine) -> None:
    """Return when a session of this database waits for another session's lock."""
    blocked = text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE NOT granted AND datname = current_database())"
    )
    async with asyncio.timeout(10):
        while True:
            async with engine.connect() as connection:
                if await connection.scalar(blocked):
                    return
            await asyncio.sleep(0.01)
