"""Event ids are forgotten by age, a little at a time, and it is known how far."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply import memory
from consumers.runtime.apply.memory import forget_some, remembered_since
from tests.integration.consumers.runtime.apply.test_brake import spoilt
from tests.parts.runtime.counting import TABLES, applier, begun, held_in, records

OLD = datetime.now(UTC) - timedelta(days=40)


async def seen(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(TABLES.seen_event)) or 0


async def since(engine: AsyncEngine, days: float = 30) -> datetime:
    async with engine.connect() as connection:
        return await remembered_since(connection, TABLES, days)


async def remember(engine: AsyncEngine, old: int, new: int) -> None:
    """Have seen so many events long ago, and so many just now."""
    await applier(engine).apply(records(0, old + new - 1), await begun(engine))
    table = TABLES.seen_event
    async with engine.begin() as transaction:
        await transaction.execute(update(table).where(table.c.offset < old).values(seen_at=OLD))


async def test_only_what_is_older_is_forgotten_and_in_chunks(
    counting: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CHUNK", 4)
    await remember(counting, old=10, new=5)
    forgotten = [await forget_some(counting, TABLES, 30) for _ in range(4)]
    assert forgotten == [4, 4, 2, 0]
    assert await seen(counting) == 5


async def test_it_is_known_since_when_every_event_is(counting: AsyncEngine) -> None:
    await remember(counting, old=1, new=1)
    now = datetime.now(UTC)
    # Whatever is older may be forgotten at any moment.
    assert abs(await since(counting) - (now - timedelta(days=30))) < timedelta(minutes=1)
    await forget_some(counting, TABLES, 10)
    # Remembering for longer now does not bring back what was forgotten.
    assert abs(await since(counting) - (now - timedelta(days=10))) < timedelta(minutes=1)


async def test_an_event_that_is_being_looked_at_is_left_for_the_next_round(
    counting: AsyncEngine,
) -> None:
    await remember(counting, old=3, new=0)
    async with counting.begin() as other:
        locked = 'SELECT * FROM counting.seen_event WHERE "offset" = 1 FOR UPDATE'
        await other.execute(text(locked))
        assert await forget_some(counting, TABLES, 30) == 2
    assert await forget_some(counting, TABLES, 30) == 1


async def test_what_was_parked_and_is_done_is_forgotten_and_what_is_dead_is_not(
    counting: AsyncEngine,
) -> None:
    await applier(counting).apply([spoilt(n) for n in range(3)], await begun(counting))
    held = TABLES.held
    async with counting.begin() as transaction:
        await transaction.execute(update(held).values(ended_at=OLD, first_failed_at=OLD))
        await transaction.execute(update(held).where(held.c.offset == 1).values(state="done"))
    assert await forget_some(counting, TABLES, 30) == 1
    assert [row.offset for row in await held_in(counting)] == [0, 2]
