"""Applying needs nothing but the protocol: a model in memory gives the results of PostgreSQL."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.brake import clear_brakes
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.offsets import Counts, Fence, FenceMoved
from consumers.runtime.apply.process import Applier, BatchResult
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Undecodable
from consumers.runtime.service import HandlerFailed
from router.contract.event import Event
from tests.parts.runtime.counting import (
    PAYMENT_0,
    SERVICE,
    TABLES,
    count,
    counts_of,
    effects_of,
    fences_of,
    held_in,
    id_of,
    numbered,
    outbox_of,
    record,
    records,
    stored,
)
from tests.simulation.store.books import ModelBooks, ModelTransaction
from tests.simulation.store.database import ModelDatabase
from tests.simulation.store.rows import BRAKES, EFFECTS, FENCES, HELD, OUTBOX, EffectEntry

ORDER_0 = Partition("order", 0)
PARK = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")
BRAKE_AFTER = 3


@dataclass(frozen=True)
class Seen:
    """State of a store as seen from outside."""

    fences: Mapping[Partition, tuple[int, int, UUID | None]]
    counts: Mapping[Partition, Counts]
    effects: Sequence[UUID]
    held: Sequence[tuple[Partition, int, str, str]]
    dead_letters: int


class Memory:
    """The model in memory, and its visible state."""

    def __init__(self) -> None:
        """Start empty."""
        self.books = ModelBooks(ModelDatabase())

    def applier(self) -> Applier:
        """Return an applier for this store."""

        async def handle(connection: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
            for each in events:
                book(cast("ModelTransaction", connection), each)
            return _answer(events)

        return Applier(self.books, SERVICE, handle, BRAKE_AFTER)

    async def clear(self) -> None:
        """Release every brake."""
        self.books.database.committed.rows(BRAKES).clear()

    async def seen(self) -> Seen:
        """Return the visible state."""
        rows = self.books.database.committed.rows
        return Seen(
            {at: _told(each.fence) for at, each in rows(FENCES).items()},
            {at: each.counts for at, each in rows(FENCES).items() if each.counts != Counts()},
            [each.event_id for _, each in sorted(rows(EFFECTS).items())],
            [
                (each.record.partition, each.record.offset, each.state, each.reason)
                for _, each in sorted(rows(HELD).items())
            ],
            len(rows(OUTBOX)),
        )


def book(books: ModelTransaction, each: Event) -> None:
    """Write the effect of an event."""
    number = books.session.database.committed.next_number(EFFECTS)
    books.session.view.put(EFFECTS, number, EffectEntry(each.id, number, each.reference or "", 0))


class Database:
    """PostgreSQL, and its visible state."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Start with an empty database."""
        self._engine = engine

    def applier(self) -> Applier:
        """Return an applier for this store."""

        async def handle(connection: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
            await count(connection, events)
            return _answer(events)

        return Applier(stored(self._engine), SERVICE, handle, BRAKE_AFTER)

    async def clear(self) -> None:
        """Release every brake."""
        async with self._engine.begin() as transaction:
            await clear_brakes(transaction, TABLES)

    async def seen(self) -> Seen:
        """Return the visible state."""
        names = [each.name for each in fields(Counts)]
        counted = {
            Partition(row.topic, row.partition): Counts(*(getattr(row, n) for n in names))
            for row in await counts_of(self._engine)
        }
        return Seen(
            {at: _told(fence) for at, fence in (await fences_of(self._engine)).items()},
            {at: counts for at, counts in counted.items() if counts != Counts()},
            await effects_of(self._engine),
            [
                (Partition(row.topic, row.partition), row.offset, row.state, row.reason)
                for row in await held_in(self._engine)
            ],
            len(await outbox_of(self._engine)),
        )


def _answer(events: Sequence[Event]) -> Sequence[Fate]:
    """Fail for events marked to fail, and return STALE for events without an amount."""
    if any(each.reference == "FAIL" for each in events):
        message = "not this one"
        raise ValueError(message)
    return [Fate.STALE if each.amount is None else Fate.APPLIED for each in events]


def _told(fence: Fence) -> tuple[int, int, UUID | None]:
    return fence.first_offset, fence.next_offset, fence.topic_id


Store = Memory | Database


@pytest.fixture(params=["memory", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """Yield each store, empty."""
    if request.param == "memory":
        return Memory()
    return Database(request.getfixturevalue("counting"))


def spoilt(offset: int, partition: Partition = PAYMENT_0) -> Undecodable:
    return Undecodable(record(offset, numbered(offset), partition).record, "not an event")


async def test_store_keeps_the_promises_of_the_protocol(store: Store) -> None:
    machine = store.applier()
    known = await machine.fences({PAYMENT_0: 0, ORDER_0: 0})
    done = await machine.apply(records(0, 9), known)
    assert done.outcomes == {(PAYMENT_0, Fate.APPLIED): 10}
    # The same records again, the same events in new records, a gap, a conflict, duplicates.
    again = await machine.apply(records(0, 9), known)
    assert again.outcomes == {(PAYMENT_0, Fate.REDELIVERED): 10}
    other = numbered(1, currency="USDC")
    batch = [
        record(12, numbered(1)),
        record(13, other),
        *(record(n, numbered(20)) for n in (14, 15)),
    ]
    mixed = await machine.apply(batch, again.fences)
    assert Counter(fate for _, fate in mixed.outcomes.elements()) == {
        Fate.DUPLICATE: 2,
        Fate.DEAD: 1,
        Fate.APPLIED: 1,
    }
    assert mixed.conflicts == 1
    with pytest.raises(FenceMoved):
        await machine.apply(
            [record(30, numbered(30))], {ORDER_0: replace(known[ORDER_0], next_offset=1)}
        )
    before = await store.seen()
    with pytest.raises(HandlerFailed):
        await machine.apply([record(16, numbered(16, reference="FAIL"))], mixed.fences)
    assert await store.seen() == before
    assert before.counts == {
        PAYMENT_0: Counts(applied=11, duplicate=2, dead_lettered=1, gaps=2),
    }


async def test_parked_record_keeps_its_lane_waiting(store: Store) -> None:
    machine = store.applier()
    known = await machine.fences({PAYMENT_0: 0})
    same = [record(n, numbered(n, reference="A-1")) for n in range(3)]
    parked = await machine.apply(same[:1], known, PARK)
    await machine.apply([*same[1:], record(3, numbered(3))], parked.fences)
    seen = await store.seen()
    assert [(offset, reason) for _, offset, _, reason in seen.held] == [
        (0, "failed"),
        (1, "behind"),
        (2, "behind"),
    ]
    assert seen.effects == [id_of(3)]


async def test_brake_holds_the_failing_topic_and_skipped_events_stay_new(store: Store) -> None:
    machine = store.applier()
    known = await machine.fences({PAYMENT_0: 0, ORDER_0: 0})
    twin = record(5, numbered(9), ORDER_0)
    batch: list[Arrived] = [
        record(0, numbered(0)),
        *map(spoilt, range(1, 4)),
        record(4, numbered(9)),
    ]
    batch += [record(n, numbered(50 + n), ORDER_0) for n in range(5)]
    done = await machine.apply([*batch, twin], known)
    assert done.cut == {PAYMENT_0}
    assert list(done.brakes) == list(await machine.brakes()) == ["payment"]
    assert {at: fence.next_offset for at, fence in done.fences.items()} == {
        PAYMENT_0: 4,
        ORDER_0: 6,
    }
    # A second record of a skipped event is not a duplicate: it has the effect.
    effects = [id_of(0), *(id_of(50 + n) for n in range(5)), id_of(9)]
    assert (await store.seen()).effects == effects
    left = await machine.apply(batch[4:5], done.fences)
    assert (left.cut, list(left.brakes)) == (frozenset([PAYMENT_0]), ["payment"])
    assert not left.outcomes
    await store.clear()
    after = await machine.apply(batch[4:5], done.fences)
    assert after.outcomes == {(PAYMENT_0, Fate.DUPLICATE): 1}
    assert (await store.seen()).effects == effects


async def test_fence_keeps_the_first_topic_id_and_passes_gaps_at_the_end(
    store: Store,
) -> None:
    machine, ids = store.applier(), {"payment": uuid4(), "order": uuid4()}
    await machine.fences({PAYMENT_0: 5})
    assert (await store.seen()).fences == {PAYMENT_0: (5, 5, None)}
    known = await machine.fences({PAYMENT_0: 9, ORDER_0: 0}, ids)
    assert {at: fence.topic_id for at, fence in known.items()} == {
        PAYMENT_0: ids["payment"],
        ORDER_0: ids["order"],
    }
    await machine.fences({PAYMENT_0: 9}, {"payment": uuid4()})
    assert (await store.seen()).fences[PAYMENT_0] == (5, 5, ids["payment"])
    done = await machine.apply(records(5, 6), known)
    passed = await machine.pass_gap(done.fences[PAYMENT_0], 9)
    assert (passed.next_offset, passed.last) == (9, done.fences[PAYMENT_0].last)
    assert passed.topic_id == ids["payment"]
    assert (await store.seen()).counts == {PAYMENT_0: Counts(applied=2, gaps=2)}
    with pytest.raises(FenceMoved):
        await machine.pass_gap(done.fences[PAYMENT_0], 10)


async def test_records_of_a_deleted_topic_do_not_move_the_fence_of_its_successor(
    store: Store,
) -> None:
    machine = store.applier()
    known = await machine.fences({PAYMENT_0: 0}, {"payment": uuid4()})
    done = await machine.apply(records(0, 1), known)
    before = await store.seen()
    # A process that was frozen while the topic was recreated and its fence was set.
    frozen = {PAYMENT_0: replace(known[PAYMENT_0], topic_id=uuid4())}
    with pytest.raises(FenceMoved):
        await machine.apply(records(0, 3), frozen)
    assert await store.seen() == before
    # If an id is unknown, as on an older broker, the fence is accepted.
    unknown = {PAYMENT_0: replace(done.fences[PAYMENT_0], topic_id=None)}
    assert (await machine.apply(records(2, 2), unknown)).fences[PAYMENT_0].next_offset == 3


def _any_batch(dice: random.Random, next_offsets: Mapping[Partition, int]) -> list[Arrived]:
    batch: list[Arrived] = []
    for partition, begin in next_offsets.items():
        offset = max(0, begin - dice.choice([0, 0, 0, 2]))
        for _ in range(dice.randrange(6)):
            offset += dice.choice([0, 0, 0, 1])
            batch.append(_any_record(dice, offset, partition))
            offset += 1
    return batch


def _any_record(dice: random.Random, offset: int, partition: Partition) -> Arrived:
    if dice.random() < 0.25:
        return spoilt(offset, partition)
    number = dice.randrange(40)
    currency = dice.choice(["USDT"] * 9 + ["USDC"])
    return record(
        offset, numbered(number, reference=f"A-{number % 7}", currency=currency), partition
    )


async def _step(
    store: Store, batch: Sequence[Arrived], verdict: HoldDecision | None
) -> BatchResult:
    machine = store.applier()
    known = await machine.fences({PAYMENT_0: 0, ORDER_0: 0})
    expected = {at: known[at] for at in {each.record.partition for each in batch}}
    return await machine.apply(batch, expected, verdict)


async def test_model_and_database_agree_on_any_history(
    counting: AsyncEngine,
    chaos_long: bool,  # noqa: FBT001 - a fixture
) -> None:
    memory, database = Memory(), Database(counting)
    dice = random.Random(7)
    at = {PAYMENT_0: 0, ORDER_0: 0}
    braked = 0
    for _ in range(1000 if chaos_long else 30):
        batch = _any_batch(dice, at)
        if not batch:
            continue
        verdict = PARK if len(batch) == 1 and isinstance(batch[0], Decoded) else None
        said = [await _step(each, batch, verdict) for each in (memory, database)]
        assert said[0].outcomes == said[1].outcomes
        assert (said[0].cut, said[0].conflicts) == (said[1].cut, said[1].conflicts)
        assert said[0].brakes.keys() == said[1].brakes.keys()
        at |= {partition: fence.next_offset for partition, fence in said[1].fences.items()}
        braked += bool(said[0].brakes)
        if said[0].brakes and dice.random() < 0.5:
            await memory.clear()
            await database.clear()
    assert await memory.seen() == await database.seen()
    assert braked > 2
    assert len((await memory.seen()).effects) > 10
