"""A record is held once, by its place and content; what is done can be held anew."""

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason, Hold, error_text, hold
from consumers.runtime.commands.actions import held_admin
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Unreadable, unfetchable
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
    """Hold a record; return how many rows that wrote."""
    holds = [Hold(arrived, fate, HeldReason(reason), "why", 1)]
    async with engine.begin() as transaction:
        return len(await hold(transaction, TABLES, CLUSTER, holds))


@pytest.mark.parametrize("state", [Fate.DEAD, Fate.PARKED])
async def test_a_record_that_waits_already_is_not_held_twice(
    counting: AsyncEngine, state: Fate
) -> None:
    assert await write(counting, spoilt(3), state) == 1
    assert await write(counting, spoilt(3), Fate.DEAD) == 0
    assert [row.state for row in await held_in(counting)] == [state]


async def test_a_record_that_was_done_once_is_held_anew(counting: AsyncEngine) -> None:
    await write(counting, spoilt(3), Fate.PARKED, "failed")
    async with counting.begin() as transaction:
        await transaction.execute(update(TABLES.held).values(state="done", outcome="applied"))
    assert await write(counting, spoilt(3)) == 1
    (row,) = await held_in(counting)
    assert (row.state, row.reason, row.outcome) == (Fate.DEAD, "unreadable", None)


async def test_another_record_in_the_place_of_a_held_one_is_held_too(
    counting: AsyncEngine,
) -> None:
    await write(counting, spoilt(3))
    other = Unreadable(record(3, numbered(99)).record, "of a topic made anew")
    assert await write(counting, other) == 1
    assert len(await held_in(counting)) == 2


async def test_a_topic_replayed_sends_no_dead_letter_twice(counting: AsyncEngine) -> None:
    for _ in range(2):
        await machine(counting).apply([spoilt(0)], await begun(counting))
        await set_fence(counting, PAYMENT_0, first_offset=0, next_offset=0, dead_lettered=0)
    assert len(await outbox_of(counting)) == 1


@pytest.mark.parametrize("state", ["done", Fate.PARKED])
async def test_only_what_is_dead_is_replayed(counting: AsyncEngine, state: Fate) -> None:
    await write(counting, spoilt(0), Fate.PARKED, "failed")
    (row,) = await held_in(counting)
    async with counting.begin() as transaction:
        await transaction.execute(update(TABLES.held).values(state=state))
        await held_admin.replay(transaction, TABLES, row.id)
    (after,) = await held_in(counting)
    assert (after.state, after.reason) == (state, "failed")


async def test_what_is_known_by_its_place_alone_is_never_replayed(counting: AsyncEngine) -> None:
    await write(counting, unfetchable(PAYMENT_0, 0, "why"), Fate.DEAD, "unfetchable")
    (row,) = await held_in(counting)
    async with counting.begin() as transaction:
        await held_admin.replay(transaction, TABLES, row.id)
    assert [each.state for each in await held_in(counting)] == [Fate.DEAD]


def test_an_error_is_kept_as_text_whatever_it_says() -> None:
    assert error_text("a\0b\ud800c") == "ab?c"
    assert len(error_text("x" * 10_000)) == 2000
