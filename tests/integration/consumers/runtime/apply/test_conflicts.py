"""An event is repeated with different content: the first one is applied, the second is dead."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.member.app import ConsumerProcess
from router.contract.event import Event
from tests.parts.runtime.counting import (
    TABLES,
    brake_of,
    count,
    effects_of,
    held_in,
    id_of,
    numbered,
    written,
)
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import (
    applied_but,
    held,
    holds,
    letters,
    metric,
    origin,
    passed,
    published,
)
from tests.parts.waiting import eventually


def conflicts(process: ConsumerProcess) -> float:
    return metric(process, "payrouter_conflicts_total")


async def test_conflicting_event_is_dead_the_original_applied_and_the_brake_untouched(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(5)))
    async with feed.member(brake_after=3) as process:
        await feed.applied(5)
        assert conflicts(process) == 0
        await feed.send([numbered(3, amount="1.00"), numbered(5)])
        # In one batch with its original, and often enough for the brake.
        await feed.send([numbered(6)], partition=1)
        await feed.send([numbered(6, amount=f"{n}.00") for n in range(1, 6)], partition=1)
        await feed.send([numbered(7)], partition=1)
        await feed.applied(8)
        await published(feed)
        await ready(process)
        assert conflicts(process) == 6
    await applied_but(feed, of=8)
    assert await held(feed, "dead") == [
        (0, 5, "conflict"),
        *((1, offset, "conflict") for offset in range(1, 6)),
    ]
    (row,) = (row for row in await held_in(feed.engine) if row.partition == 0)
    assert row.error == f"Conflict: event {id_of(3)} was seen before with a different amount"
    assert json.loads(row.value)["amount"] == "1.00"
    assert {origin(each)["exception-class"] for each in await letters(feed, 6)} == {"Conflict"}
    assert (await brake_of(feed.engine)).streak == 0


async def test_conflicting_event_waits_behind_its_parked_original_under_any_key(
    feed: Feed,
) -> None:
    failing = [True]

    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        if failing and id_of(1) in {each.id for each in events}:
            message = "not now"
            raise ValueError(message)
        return await count(transaction, events)

    async with feed.member(handle, park_longest_seconds=0.1, attempts=1000) as process:
        await feed.send([numbered(1)])
        await holds(feed, "parked", 1)
        await feed.send([numbered(1, amount="1.00")])
        elsewhere = numbered(1).model_copy(update={"reference": "B"})
        neighbour = numbered(2).model_copy(update={"reference": "B"})
        await feed.send([elsewhere, neighbour], partition=1)
        # The same event again, unchanged, under a different kind of key.
        await feed.send_raw(written(numbered(1)).value, partition=2, key=b"other")
        await holds(feed, "parked", 4)
        await feed.applied(1)
        failing.clear()
        await feed.applied(2)
        await holds(feed, "dead", 2)
        await eventually(lambda: _none_parked(feed), "nothing parked")
        assert conflicts(process) == 2
    assert await effects_of(feed.engine) == [id_of(2), id_of(1)]
    rows = await held_in(feed.engine)
    said = {(row.partition, row.offset): (row.state, row.outcome or row.error) for row in rows}
    known = f"Conflict: event {id_of(1)} was seen before with a different"
    assert said == {
        (0, 0): ("done", "applied"),
        (0, 1): ("dead", f"{known} amount"),
        (1, 0): ("dead", f"{known} reference"),
        (2, 0): ("done", "duplicate"),
    }
    assert (await brake_of(feed.engine)).streak == 0


async def _none_parked(feed: Feed) -> bool:
    return not await held_in(feed.engine, "parked")


@pytest.mark.kafka
async def test_of_two_conflicting_events_in_two_concurrent_members_one_is_applied(
    feed: Feed,
) -> None:
    async def slowly(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        await asyncio.sleep(0.02)
        return outcomes

    def assigned(process: ConsumerProcess) -> int:
        return len(process.loop.positions.assigned) if process.loop else 0

    tuning = {"brake_after": 3, "batch_records": 10}
    async with feed.member(slowly, **tuning) as first, feed.member(slowly, **tuning) as second:
        await eventually(lambda: (assigned(first), assigned(second)) == (2, 2), "two each")
        await asyncio.gather(
            feed.send(map(numbered, range(100)), partition=0),
            feed.send((numbered(n, amount="1.00") for n in reversed(range(100))), partition=3),
        )
        await passed(feed, 0, 100)
        await passed(feed, 3, 100)
        both = (conflicts(first), conflicts(second))
        assert sum(both) == 100
        # Each was applied at least once: the two did compete.
        assert min(both) > 0
    await applied_but(feed, of=100)
    rows = await held_in(feed.engine, "dead")
    assert {row.reason for row in rows} == {"conflict"}
    async with feed.engine.connect() as connection:
        seen = TABLES.seen_event
        known = (await connection.execute(select(seen.c.event_id, seen.c.partition))).all()
    winners, losers = set(known), {(row.event_id, row.partition) for row in rows}
    assert len(losers) == 100
    assert not {tuple(each) for each in winners} & losers
    assert (await brake_of(feed.engine)).streak == 0
