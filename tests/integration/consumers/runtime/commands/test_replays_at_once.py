"""Two operators replay dead records while their events are resent: each has one effect."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.commands.actions.held_admin import Filter, about, list_operations
from consumers.runtime.commands.actions.replay import Pace, replay_paced
from consumers.runtime.configured import Consumer
from consumers.runtime.fate import Fate
from router.contract.event import Event
from tests.parts.runtime.counting import (
    SERVICE,
    TABLES,
    count,
    counts_of,
    effects_of,
    held_in,
    id_of,
    numbered,
    written,
)
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import holds, passed, refusing
from tests.parts.waiting import eventually

DEAD = 40


async def replayed(feed: Feed, numbers: Sequence[int]) -> None:
    """Replay as an operator does, as fast as possible."""
    said = about(numbers, Filter(numbers=numbers))
    pace = Pace(rate=10_000, patience=30, visible=False)
    words = await replay_paced(Consumer(SERVICE, feed.settings()), numbers, said, pace)
    assert words.keys() <= {"applied", "duplicate"}
    assert sum(words.values()) == DEAD


async def come_again(feed: Feed) -> None:
    """Send each event in new records: unchanged, and under another key in another partition."""
    for number in range(DEAD):
        event = numbered(number)
        await feed.send([event])
        await feed.send_raw(written(event).value, partition=1, key=b"other %d" % number)


async def test_nothing_is_applied_twice_and_each_replay_is_attributed(feed: Feed) -> None:
    await feed.send(map(numbered, range(DEAD)))
    async with feed.member(refusing(*range(DEAD)), attempts=1, brake_after=1000):
        rows = await holds(feed, "dead", DEAD)
    numbers = [row.id for row in rows]

    async def slowly(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        await asyncio.sleep(0.01)
        return outcomes

    async with feed.member(slowly, batch_records=5) as process:
        await ready(process)
        await asyncio.gather(replayed(feed, numbers), replayed(feed, numbers), come_again(feed))
        await passed(feed, 0, 2 * DEAD)
        await passed(feed, 1, DEAD)
        await eventually(lambda: _nothing_waits(feed), "nothing parked")
    assert Counter(await effects_of(feed.engine)) == Counter(map(id_of, range(DEAD)))
    held = await held_in(feed.engine)
    assert {row.state for row in held} == {"done"}
    fences = await counts_of(feed.engine)
    # Three records of each event: one of them had the effect.
    assert sum(row.applied for row in fences) + _count(held, "applied") == DEAD
    assert sum(row.duplicate for row in fences) + _count(held, "duplicate") == 2 * DEAD
    async with feed.engine.connect() as connection:
        first, second = await list_operations(connection, TABLES)
    span = f"{DEAD} records: {numbers[0]}-{numbers[-1]}; filter"
    assert first.detail.startswith(span)
    assert (first.what, first.who, first.detail) == (second.what, second.who, second.detail)


async def _nothing_waits(feed: Feed) -> bool:
    return not await held_in(feed.engine, "parked")


def _count(rows: Sequence[object], outcome: str) -> int:
    return sum(getattr(row, "outcome", None) == outcome for row in rows)
