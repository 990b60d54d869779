"""Many failures in a row stop a topic, even across restarts, until an operator releases it."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.brake import Brake, clear_brakes
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.process import BatchResult
from consumers.runtime.apply.retry import retry_due
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Partition, Undecodable
from consumers.runtime.service import Poison
from consumers.runtime.settings import Tuning
from tests.parts.runtime.counting import (
    PAYMENT_0,
    TABLES,
    applier,
    begun,
    brake_of,
    counts_of,
    effects_of,
    fences_of,
    held_in,
    id_of,
    numbered,
    outbox_of,
    record,
    stored,
)
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import applied_but, holds, metric, passed, refusing
from tests.parts.waiting import eventually

PARK = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")


def spoilt(offset: int) -> Undecodable:
    """Return a record that cannot be decoded."""
    return Undecodable(record(offset, numbered(offset)).record, "not an event")


def mixed(pattern: str) -> list[Arrived]:
    """Return records: x for one that cannot be decoded, o for an event."""
    return [
        spoilt(n) if letter == "x" else record(n, numbered(n)) for n, letter in enumerate(pattern)
    ]


async def clear(engine: AsyncEngine) -> Brake:
    """Release every brake; return the one that was holding."""
    async with engine.begin() as transaction:
        (was,) = (await clear_brakes(transaction, TABLES)).values()
        return was


@pytest.mark.parametrize(
    ("pattern", "streak"), [("xx", 2), ("xxo", 0), ("xxoxx", 2), ("xoxoxoxo", 0), ("ooo", 0)]
)
async def test_good_record_ends_a_row_of_failures(
    counting: AsyncEngine, pattern: str, streak: int
) -> None:
    await applier(counting, brake_after=3).apply(mixed(pattern), await begun(counting))
    brake = await brake_of(counting)
    assert (brake.streak, brake.held_since) == (streak, None)
    assert (await fences_of(counting))[PAYMENT_0].next_offset == len(pattern)


async def test_brake_takes_hold_within_a_batch_and_nothing_after_it_is_passed(
    counting: AsyncEngine,
) -> None:
    known = await begun(counting)
    machine = applier(counting, brake_after=3)
    applied = await machine.apply(mixed("oxxxoxo"), known)
    assert applied.cut == {PAYMENT_0}
    assert applied.fences[PAYMENT_0].next_offset == 4
    assert await fences_of(counting) == applied.fences
    assert await effects_of(counting) == [id_of(0)]
    assert len(await held_in(counting, "dead")) == len(await outbox_of(counting)) == 3
    (row,) = await counts_of(counting)
    assert (row.applied, row.dead_lettered) == (1, 3)
    assert "3 records in a row could not be applied, the last one" in str(applied.brakes["payment"])
    again = await machine.apply(mixed("oxxxoxo")[4:], applied.fences)
    assert (again.fences, again.brakes) == (applied.fences, applied.brakes)
    assert again.cut == {PAYMENT_0}
    assert not again.outcomes
    was = await clear(counting)
    assert was.detail is not None
    assert "payment-0 offset 3: not an event" in was.detail
    # The ids of later records were not claimed: they are new.
    await machine.apply(mixed("oxxxoxo"), known)
    assert await effects_of(counting) == [id_of(0), id_of(4), id_of(6)]


async def test_failures_are_counted_across_batches_and_instances(
    counting: AsyncEngine,
) -> None:
    known = await begun(counting)
    for offset in range(3):
        applied = await applier(counting, brake_after=3).apply([spoilt(offset)], known)
        known = applied.fences
    left = await applier(counting, brake_after=3).apply([record(3, numbered(3))], known)
    assert left.cut == {PAYMENT_0}
    assert list(left.brakes) == ["payment"]
    assert await effects_of(counting) == []


async def test_two_concurrent_instances_pull_the_brake_once_after_as_many_failures(
    counting: AsyncEngine,
) -> None:
    async def failing(partition: Partition) -> BatchResult:
        known, machine = await begun(counting, partition), applier(counting, brake_after=5)
        for offset in range(10):
            made = record(offset, numbered(100 * partition.number + offset), partition)
            applied = await machine.apply([made], known, PARK)
            known = applied.fences
            if applied.brakes:
                break
        return applied

    both = await asyncio.gather(*(failing(Partition("payment", n)) for n in range(2)))
    brake = await brake_of(counting)
    assert brake.streak == 5
    assert [each.brakes["payment"].held_since for each in both] == [brake.held_since] * 2
    fences = await fences_of(counting)
    assert len(await held_in(counting)) == sum(each.next_offset for each in fences.values()) == 5


async def test_brake_stops_retries_of_its_topic_only(
    counting: AsyncEngine,
) -> None:
    machine, books, payout = (
        applier(counting, brake_after=2),
        stored(counting),
        Partition("payout", 0),
    )
    known = await begun(counting, PAYMENT_0, payout)
    for each in (record(0, numbered(0)), record(0, numbered(1), payout)):
        known = {**known, **(await machine.apply([each], known, PARK)).fences}
    await machine.apply([spoilt(1)], known)
    await eventually(partial(_all_due, counting), "both are due")
    done = await retry_due(machine, books, Tuning())
    assert [(each.partition, each.fate) for each in done.tries] == [(payout, Fate.APPLIED)]
    await clear(counting)
    (tried,) = (await retry_due(machine, books, Tuning())).tries
    assert (tried.partition, tried.fate) == (PAYMENT_0, Fate.APPLIED)


async def _all_due(engine: AsyncEngine) -> bool:
    now = datetime.now(UTC)
    return all(row.due_at <= now for row in await held_in(engine, "parked"))


async def test_fifty_poison_records_stop_the_topic_across_restarts_and_nothing_is_lost(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(10)))
    await feed.send(map(numbered, range(10, 60)))
    await feed.send(map(numbered, range(60, 70)))
    poison = refusing(*range(10, 60), error=Poison)
    async with feed.member(poison) as process:
        said = await halted(process, "has been on since")
        assert "20 records in a row could not be applied" in said
        assert f"`payrouter brake clear counting --topic {feed.topic}`" in said
        await feed.send(map(numbered, range(70, 80)), partition=1)
        await eventually(lambda: len(process.loop.positions.assigned) == 4, "4")  # type: ignore[union-attr]
        assert process.alive().good
        assert metric(process, "payrouter_brake_held", topic=feed.topic) == 1
    assert (await feed.fences())[0].next_offset == 30
    async with feed.member(poison) as process:
        await halted(process, "has been on since")
    await applied_but(feed, *range(10, 80), of=80)
    assert len(await held_in(feed.engine, "dead")) == 20
    for dead in (40, 50):
        await clear(feed.engine)
        async with feed.member(poison):
            await holds(feed, "dead", dead)
    async with feed.member(poison) as process:
        await passed(feed, 0, 70)
        await feed.applied(30)
        await ready(process)
    await applied_but(feed, *range(10, 60), of=80)
    assert [row.offset for row in await held_in(feed.engine, "dead")] == list(range(10, 60))


async def test_running_consumer_continues_after_clear_and_keeps_its_partitions(
    feed: Feed,
) -> None:
    for number in range(3):
        await feed.send_raw(b"no event", key=str(number).encode())
    await feed.send([numbered(1)])
    async with feed.member(brake_after=3) as process:
        await halted(process, "has been on since")
        await clear(feed.engine)
        await feed.applied(1)
        await ready(process)
        assert len(feed.logged("partitions_assigned")) == 1
        assert feed.logged("brake_cleared")
        assert metric(process, "payrouter_brake_held", topic=feed.topic) == 0


async def test_handler_that_always_fails_pulls_the_brake_and_everything_is_applied_after(
    feed: Feed,
) -> None:
    for partition in range(4):
        await feed.send(map(numbered, range(partition * 50, partition * 50 + 50)), partition)
    fails = refusing(*range(200), error=KeyError)
    # On a slow machine the first record would use up eight attempts before the 20th fails, and die.
    async with feed.member(fails, attempts=1000) as process:
        await halted(process, "has been on since")
    assert len(await held_in(feed.engine, "parked")) == 20
    assert await effects_of(feed.engine) == []
    await clear(feed.engine)
    async with feed.member():
        await feed.applied(200)
    await applied_but(feed, of=200)
    assert {row.state for row in await held_in(feed.engine)} == {"done"}
