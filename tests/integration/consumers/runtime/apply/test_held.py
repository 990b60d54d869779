"""A record is held once, by offset and content; a finished one can be held again."""

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason, Hold, error_text, hold
from consumers.runtime.commands.actions import held_admin
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Undecodable, unfetchable
from tests.integration.consumers.runtime.apply.test_brake import spoilt
from tests.parts.runtime.counting import (
    CLUSTER,
    PAYMENT_0,
    TABLES,
    begun,
    held_in,
    numbered,
    outbox_of,
    record,
    set_fence,
)
from tests.parts.runtime.counting import applier as machine


async def write(
    engine: AsyncEngine, arrived: Arrived, fate: Fate = Fate.DEAD, reason: str = "unreadable"
) -> int:
    """Hold a record; return the number of rows written."""
    holds = [Hold(arrived, fate, HeldReason(reason), "why", 1)]
    async with engine.begin() as transaction:
        return len(await hold(transaction, TABLES, CLUSTER, holds))


@pytest.mark.parametrize("state", [Fate.DEAD, Fate.PARKED])
async def test_waiting_record_is_not_held_twice(counting: AsyncEngine, state: Fate) -> None:
    assert await write(counting, spoilt(3), state) == 1
    assert await write(counting, spoilt(3), Fate.DEAD) == 0
    assert [row.state for row in await held_in(counting)] == [state]


async def test_finished_record_can_be_held_again(counting: AsyncEngine) -> None:
    await write(counting, spoilt(3), Fate.PARKED, "failed")
    async with counting.begin() as transaction:
        await transaction.execute(update(TABLES.held).values(state="done", outcome="applied"))
    assert await write(counting, spoilt(3)) == 1
    (row,) = await held_in(counting)
    assert (row.state, row.reason, row.outcome) == (Fate.DEAD, "unreadable", None)


async def test_different_record_at_the_offset_of_a_held_one_is_held_too(
    counting: AsyncEngine,
) -> None:
    await write(counting, spoilt(3))
    other = Undecodable(record(3, numbered(99)).record, "of a recreated topic")
    assert await write(counting, other) == 1
    assert len(await held_in(counting)) == 2


async def test_replayed_topic_sends_no_dead_letter_twice(counting: AsyncEngine) -> None:
    for _ in range(2):
        await machine(counting).apply([spoilt(0)], await begun(counting))
        await set_fence(counting, PAYMENT_0, first_offset=0, next_offset=0, dead_lettered=0)
    assert len(await outbox_of(counting)) == 1


@pytest.mark.parametrize("state", ["done", Fate.PARKED])
async def test_only_dead_records_are_replayed(counting: AsyncEngine, state: Fate) -> None:
    await write(counting, spoilt(0), Fate.PARKED, "failed")
    (row,) = await held_in(counting)
    async with counting.begin() as transaction:
        await transaction.execute(update(TABLES.held).values(state=state))
        await held_admin.replay(transaction, TABLES, row.id)
    (after,) = await held_in(counting)
    assert (after.state, after.reason) == (state, "failed")


async def test_unfetchable_record_is_never_replayed(counting: AsyncEngine) -> None:
    await write(counting, unfetchable(PAYMENT_0, 0, "why"), Fate.DEAD, "unfetchable")
    (row,) = await held_in(counting)
    async with counting.begin() as transaction:
        await held_admin.replay(transaction, TABLES, row.id)
    assert [each.state for each in await held_in(counting)] == [Fate.DEAD]


def test_any_error_is_stored_as_valid_text() -> None:
    assert error_text("a\0b\ud800c") == "ab?c"
    assert len(error_text("x" * 10_000)) == 2000
