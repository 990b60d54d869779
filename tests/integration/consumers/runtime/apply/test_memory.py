"""Event ids are deleted by age, in chunks, and the time limit is recorded."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.memory import delete_expired, remembered_since
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
    """Insert so many old and so many recent event ids."""
    await applier(engine).apply(records(0, old + new - 1), await begun(engine))
    table = TABLES.seen_event
    async with engine.begin() as transaction:
        await transaction.execute(update(table).where(table.c.offset < old).values(seen_at=OLD))


async def test_only_older_ids_are_deleted_in_chunks(
    counting: AsyncEngine,
) -> None:
    await remember(counting, old=10, new=5)
    forgotten = [await delete_expired(counting, TABLES, 30, chunk=4) for _ in range(4)]
    assert forgotten == [4, 4, 2, 0]
    assert await seen(counting) == 5


async def test_time_since_which_all_ids_are_stored_is_known(counting: AsyncEngine) -> None:
    await remember(counting, old=1, new=1)
    now = datetime.now(UTC)
    # Older ids may be deleted at any moment.
    assert abs(await since(counting) - (now - timedelta(days=30))) < timedelta(minutes=1)
    await delete_expired(counting, TABLES, 10)
    # A longer retention does not bring back deleted ids.
    assert abs(await since(counting) - (now - timedelta(days=10))) < timedelta(minutes=1)


async def test_locked_event_id_is_left_for_the_next_round(
    counting: AsyncEngine,
) -> None:
    await remember(counting, old=3, new=0)
    async with counting.begin() as other:
        locked = 'SELECT * FROM counting.seen_event WHERE "offset" = 1 FOR UPDATE'
        await other.execute(text(locked))
        assert await delete_expired(counting, TABLES, 30) == 2
    assert await delete_expired(counting, TABLES, 30) == 1


async def test_finished_records_are_deleted_and_dead_ones_stay(
    counting: AsyncEngine,
) -> None:
    await applier(counting).apply([spoilt(n) for n in range(3)], await begun(counting))
    held = TABLES.held
    async with counting.begin() as transaction:
        await transaction.execute(update(held).values(ended_at=OLD, first_failed_at=OLD))
        await transaction.execute(update(held).where(held.c.offset == 1).values(state="done"))
    assert await delete_expired(counting, TABLES, 30) == 1
    assert [row.offset for row in await held_in(counting)] == [0, 2]
