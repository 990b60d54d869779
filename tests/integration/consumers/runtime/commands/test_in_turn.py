"""Dead records are replayed at once by one statement, due one after the other at a rate."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.commands.actions.held_admin import Filter, list_held, replay_in_turn
from consumers.runtime.fate import Fate
from tests.parts.runtime.counting import numbered, record
from tests.parts.runtime.parcels import TABLES, held_record


async def test_records_are_due_one_after_the_other_and_only_whole_dead_ones(
    parcels: AsyncEngine,
) -> None:
    for number in range(1, 5):
        reason = HeldReason.UNFETCHABLE if number == 2 else HeldReason.POISON
        fate = Fate.PARKED if number == 3 else Fate.DEAD
        await held_record(parcels, TABLES, record(number, numbered(number)), reason, fate)
    held = TABLES.held

    async with parcels.begin() as connection:
        done = await replay_in_turn(connection, TABLES, [1, 2, 3, 4], rate=2)
        rows = await connection.execute(
            select(held.c.id, held.c.due_at).where(held.c.reason == HeldReason.REPLAYED)
        )
        due = {row.id: row.due_at for row in rows}

    assert done == [1, 4]
    assert (due[4] - due[1]).total_seconds() == 1.5


async def test_listing_has_pages_and_the_accounts_of_the_reader(parcels: AsyncEngine) -> None:
    for number in range(1, 4):
        await held_record(parcels, TABLES, record(number, numbered(number)))

    async def numbers(wanted: Filter) -> list[int]:
        async with parcels.connect() as connection:
            return [each.id for each in await list_held(connection, TABLES, Fate.DEAD, wanted)]

    assert await numbers(Filter(after=1, limit=1)) == [2]
    assert await numbers(Filter(accounts=frozenset({"shop-eu"}))) == [1, 2, 3]
    assert await numbers(Filter(accounts=frozenset({"shop-us"}))) == []
    assert await numbers(Filter(accounts=frozenset())) == []
