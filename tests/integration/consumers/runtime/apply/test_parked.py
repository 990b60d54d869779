"""Parked records are retried once, in the order of their key, while other keys continue."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.held import HeldReason, HoldDecision, lane
from consumers.runtime.apply.retry import RetryResult, RetryRound, retry_due
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition
from consumers.runtime.service import Handler, Poison
from consumers.runtime.settings import Tuning
from router.contract.event import Event
from tests.parts.runtime.counting import (
    TABLES,
    applier,
    begun,
    count,
    counts_of,
    effects_of,
    held_in,
    id_of,
    numbered,
    outbox_of,
    record,
    stored,
)
from tests.parts.runtime.parcels import held_record
from tests.parts.runtime.told import refusing

TUNING = Tuning(park_seconds=0.01, park_longest_seconds=0.01, attempts=4)
PARK = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")


def same_key(first: int, last: int) -> list[Decoded]:
    """Return records of events of one order."""
    return [
        record(n, numbered(n).model_copy(update={"reference": "A"})) for n in range(first, last)
    ]


def event_of(arrived: Decoded) -> Event:
    """Return the event of a decoded record."""
    assert isinstance(arrived.event, Event)
    return arrived.event


async def park(engine: AsyncEngine, batch: Sequence[Decoded]) -> None:
    """Park the first record of a batch; the others park behind it."""
    applied = await applier(engine).apply(batch[:1], await begun(engine), PARK)
    await applier(engine).apply(batch[1:], applied.fences)


async def due(engine: AsyncEngine, handle: Handler = count) -> RetryRound:
    """Run one round of retries."""
    return await retry_due(applier(engine, handle), stored(engine), TUNING)


async def tried(engine: AsyncEngine, handle: Handler = count) -> list[RetryResult]:
    """Retry until nothing is due for a while."""
    found: list[RetryResult] = []
    for _ in range(4):
        while now := (await due(engine, handle)).tries:
            found += now
        await asyncio.sleep(0.02)
    return found


async def test_record_behind_a_parked_one_parks_behind_it(counting: AsyncEngine) -> None:
    await park(counting, [*same_key(0, 3), record(3, numbered(3))])
    assert await effects_of(counting) == [id_of(3)]
    rows = await held_in(counting, "parked")
    assert [(row.offset, row.reason, row.attempts) for row in rows] == [
        (0, "failed", 1),
        (1, "behind", 0),
        (2, "behind", 0),
    ]
    assert {row.lane for row in rows} == {lane(same_key(0, 1)[0].record)}
    (row,) = await counts_of(counting)
    assert (row.applied, row.parked) == (1, 3)


async def test_duplicate_waits_behind_its_parked_event_under_another_key(
    counting: AsyncEngine,
) -> None:
    first, second = same_key(0, 2)
    elsewhere = numbered(1).model_copy(update={"reference": "B"})
    await park(counting, [first, second, record(2, elsewhere), record(3, numbered(3))])
    assert await effects_of(counting) == [id_of(3)]
    assert {row.lane for row in await held_in(counting, "parked")} == {lane(first.record)}
    tries = await tried(counting)
    assert [(each.offset, each.fate) for each in tries] == [
        (0, "applied"),
        (1, "applied"),
        (2, "dead"),
    ]


async def test_records_without_a_key_park_alone() -> None:
    first, second = (record(n, numbered(1)).record for n in (1, 2))
    assert lane(first) == lane(second)
    nobodys = [type(first)(r.partition, r.offset, 0, None, None, ()) for r in (first, second)]
    assert len({lane(each) for each in nobodys}) == 2


async def test_parked_records_are_applied_in_order_and_repeats_are_duplicates(
    counting: AsyncEngine,
) -> None:
    batch = same_key(0, 3)
    repeat = record(3, event_of(batch[0]))
    await park(counting, [*batch, repeat])
    tries = await tried(counting)
    assert [(each.offset, each.fate) for each in tries] == [
        (0, "applied"),
        (1, "applied"),
        (2, "applied"),
        (3, "duplicate"),
    ]
    assert await effects_of(counting) == [id_of(n) for n in range(3)]
    later = await applier(counting).apply([record(4, event_of(batch[1]))], await begun(counting))
    assert sum(later.outcomes.values()) == 1
    assert await effects_of(counting) == [id_of(n) for n in range(3)]


async def test_records_of_a_key_in_two_partitions_never_wait_for_each_other(
    counting: AsyncEngine,
) -> None:
    """After a reset, the order of the offsets and the one in which records are held may differ."""
    other = Partition("payment", 1)
    held = [*same_key(5, 6), *_moved(same_key(2, 3), other), *same_key(3, 4)]
    for arrived in held:
        await held_record(counting, TABLES, arrived, HeldReason.BEHIND, Fate.PARKED)

    tries = await tried(counting)

    # The log that was held first is first, by offset.
    assert [(each.partition.number, each.offset) for each in tries] == [(0, 3), (0, 5), (1, 2)]
    assert {each.fate for each in tries} == {Fate.APPLIED}


def _moved(batch: Sequence[Decoded], partition: Partition) -> list[Decoded]:
    return [replace(each, record=replace(each.record, partition=partition)) for each in batch]


async def test_parked_record_dies_after_its_attempts_and_releases_its_key(
    counting: AsyncEngine,
) -> None:
    await park(counting, same_key(0, 3))
    tries = await tried(counting, refusing(0))
    words = [(each.offset, each.fate) for each in tries]
    assert words == [(0, "parked")] * 2 + [(0, "dead"), (1, "applied"), (2, "applied")]
    (row,) = await held_in(counting, "dead")
    assert (row.reason, row.attempts) == ("exhausted", 4)
    (letter,) = await outbox_of(counting)
    assert letter.topic == "payment.counting.dlq"
    # Its id is not claimed: a copy resent by the gateway can still be applied.
    fences = await begun(counting)
    await applier(counting).apply([record(3, numbered(0))], fences)
    assert await effects_of(counting) == [id_of(1), id_of(2), id_of(0)]


async def test_handler_can_raise_poison_on_a_retry(counting: AsyncEngine) -> None:
    await park(counting, same_key(0, 1))
    (only,) = await tried(counting, refusing(0, error=Poison))
    assert (only.fate, only.reason) == ("dead", HeldReason.POISON)


async def test_parked_conflict_dies_and_the_original_is_applied(
    counting: AsyncEngine,
) -> None:
    batch = same_key(0, 1)
    newcomer = record(1, event_of(batch[0]).model_copy(update={"currency": "USDC"}))
    await park(counting, [*batch, newcomer])
    tries = await tried(counting)
    assert [each.fate for each in tries] == ["applied", "dead"]
    assert tries[1].reason is HeldReason.CONFLICT
    assert await effects_of(counting) == [id_of(0)]


async def test_two_retrying_instances_double_nothing_and_keep_the_order(
    counting: AsyncEngine,
) -> None:
    await park(counting, [*same_key(0, 10), *(record(n, numbered(n)) for n in range(10, 12))])

    async def slowly(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await asyncio.sleep(0.01)
        return await count(transaction, events)

    both = await asyncio.gather(*(tried(counting, slowly) for _ in range(3)))
    assert sum(map(len, both)) == 10
    effects = await effects_of(counting)
    assert effects == [id_of(10), id_of(11), *(id_of(n) for n in range(10))]


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())"])
async def test_interrupted_retry_leaves_the_record_unchanged(
    counting: AsyncEngine, statement: str
) -> None:
    await park(counting, same_key(0, 2))
    reached = asyncio.Event()

    async def cut(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        reached.set()
        await transaction.execute(text(statement))
        await asyncio.sleep(3600)
        return outcomes

    task = asyncio.create_task(due(counting, cut))
    await reached.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await effects_of(counting) == []
    assert [(r.state, r.attempts) for r in await held_in(counting)] == [
        ("parked", 1),
        ("parked", 0),
    ]
    await tried(counting)
    assert await effects_of(counting) == [id_of(0), id_of(1)]


async def test_record_that_is_not_due_is_left_alone(counting: AsyncEngine) -> None:
    late = HoldDecision(Fate.PARKED, HeldReason.FAILED, "not now", pause=3600)
    await applier(counting).apply(same_key(0, 1), await begun(counting), late)
    assert (await due(counting)).tries == []


async def test_record_of_a_later_version_waits_without_counting_attempts(
    counting: AsyncEngine,
) -> None:
    # A later version parked it and was rolled back; this one cannot read it.
    (arrived,) = same_key(0, 1)
    later = [
        (name, b"urn:payrouter:schema:event:2.0" if name == "ce_dataschema" else value)
        for name, value in arrived.record.headers
    ]
    await park(counting, [Decoded(replace(arrived.record, headers=later), arrived.event)])
    (before,) = await held_in(counting)
    tries: list[RetryResult] = []
    async with asyncio.timeout(10):
        while len(tries) <= TUNING.attempts:
            tries += (await due(counting)).tries
            assert await held_in(counting, "parked")
    assert {each.fate for each in tries} == {Fate.PARKED}
    (row,) = await held_in(counting, "parked")
    assert (row.attempts, row.value) == (before.attempts, before.value)
    assert "upgrade payrouter" in row.error
    assert await outbox_of(counting) == []
