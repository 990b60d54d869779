"""One batch: fence, hold, claim, handle, move the fence, in one transaction. The heart.

The commit to Kafka comes after and elsewhere: it is a courtesy for lag tools,
nothing here depends on it.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.brake import Brake, pull_brake, released_brake, write_streak
from consumers.runtime.dead_letters import dead_letters
from consumers.runtime.failures import may_be_the_handlers
from consumers.runtime.held import (
    DEAD,
    PARKED,
    HeldReason,
    Hold,
    Queues,
    Verdict,
    hold,
    parked_queues,
)
from consumers.runtime.migrate import require_upgraded
from consumers.runtime.offsets import (
    Counts,
    Fence,
    begin_fences,
    claim_events,
    lock_fences,
    move_fence,
    read_fences,
    unclaim_events,
)
from consumers.runtime.outbox import put
from consumers.runtime.records import (
    NO_TIMESTAMP,
    Arrived,
    Decoded,
    Partition,
    Reader,
    Record,
    TooNew,
    Unfetchable,
    Unreadable,
    decode,
)
from consumers.runtime.service import HandlerFailed, HandlerSlow, Outcome, Service
from consumers.runtime.store import is_alive, is_not_set_up, transaction_of
from consumers.runtime.tables import RuntimeTables
from router.contract.event import FINGERPRINT, Event, contradictions
from router.contract.wire import decode_event

APPLIED, STALE = Outcome.APPLIED.value, Outcome.STALE.value
REDELIVERED = "redelivered"
DUPLICATE = "duplicate"
WORDS = (APPLIED, DUPLICATE, STALE, "parked", "dead", REDELIVERED)
"""What may become of a record; the label of a metric."""


@dataclass(frozen=True)
class Planned:
    """A record, and how it is held or that its event is new; neither where it is a duplicate."""

    arrived: Arrived
    held: Hold | None
    new: bool = False


@dataclass(frozen=True)
class Applied:
    """What a batch came to: the fences as they stand now, the records by partition and word.

    `cut` are the partitions of which records were left, since the brake took
    hold before them; `received` says when the edge took the applied events.
    """

    fences: Mapping[Partition, Fence]
    outcomes: Counter[tuple[Partition, str]]
    cut: frozenset[Partition] = frozenset()
    conflicts: int = 0
    received: Sequence[datetime] = ()
    brakes: Mapping[str, Brake] = field(default_factory=dict)


@dataclass(frozen=True)
class Applier:
    """Applies batches for one consumer of one cluster."""

    engine: AsyncEngine
    service: Service
    tables: RuntimeTables
    cluster_id: str
    brake_after: int = 20
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """By the topic's name on the broker; any other topic holds events of the contract."""
    idle_seconds: float = 20
    """After so long without a statement the server may have hung up."""

    def decode(self, record: Record) -> Decoded | Unreadable | TooNew:
        """Read the event of a record."""
        return decode(record, self.readers.get(record.partition.topic, decode_event))

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets at the end of a log that are known to hold no record."""
        last = Record(fence.partition, next_offset - 1, NO_TIMESTAMP, None, None, ())
        async with self._transaction() as transaction:
            counts = Counts(gaps=next_offset - fence.next_offset)
            return await move_fence(transaction, self.tables, self.cluster_id, fence, last, counts)

    async def fences(
        self, begin: Mapping[Partition, int], topic_ids: object = None
    ) -> Mapping[Partition, Fence]:
        """Return the fences of these partitions; one that never was stands where its log begins.

        It is stored before anything is read: should the log lose records
        before they are applied, the fence is there to tell.
        """
        if not begin:
            return {}
        async with self._transaction() as transaction:
            known = await read_fences(transaction, self.tables, self.cluster_id)
            if begin.keys() <= known.keys():
                return known
            await begin_fences(transaction, self.tables, self.cluster_id, begin)
            return await read_fences(transaction, self.tables, self.cluster_id)

    async def apply(
        self,
        batch: Sequence[Arrived],
        expected: Mapping[Partition, Fence],
        verdict: Verdict | None = None,
    ) -> Applied:
        """Apply a batch and move the fences, all or nothing.

        `expected` holds the fence this process knows for each partition of
        the batch; `verdict` says how the one record of a batch of one is held
        instead of applied. Raises BrakeHolds where nothing may be applied.
        """
        async with self._transaction() as transaction:
            fences = await lock_fences(transaction, self.tables, self.cluster_id, expected)
            fresh = [d for d in batch if d.record.offset >= fences[d.record.partition].next_offset]
            brake = await released_brake(transaction, self.tables)
            planned = await self._plan(transaction, fresh, verdict)
            passed = await self._up_to_the_brake(transaction, planned, brake)
            words = await self._settle(transaction, planned[:passed])
            moved = await self._move(transaction, fences, fresh[:passed], words)
        outcomes = Counter(
            (arrived.record.partition, word)
            for arrived, word in zip(fresh[:passed], words, strict=True)
        )
        outcomes.update(
            (d.record.partition, REDELIVERED)
            for d in batch
            if d.record.offset < fences[d.record.partition].next_offset
        )
        cut = frozenset(arrived.record.partition for arrived in fresh[passed:])
        conflicts = sum(_reason(each) is HeldReason.CONFLICT for each in planned[:passed])
        effective = (d for d, word in zip(fresh, words, strict=False) if word == APPLIED)
        received = [at for at in map(received_at, effective) if at is not None]
        return Applied({**fences, **moved}, outcomes, cut, conflicts, received)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open the transaction. Raises SchemaOutdated where the tables went away meanwhile."""
        try:
            async with transaction_of(self.engine) as transaction:
                yield transaction
        except DBAPIError as error:
            if is_not_set_up(error):
                async with transaction_of(self.engine) as connection:
                    await require_upgraded(connection, self.service)
            raise

    async def _plan(
        self, transaction: AsyncConnection, fresh: Sequence[Arrived], verdict: Verdict | None
    ) -> Sequence[Planned]:
        """Claim what is to be applied, and say of everything else what it is instead."""
        queues = await parked_queues(transaction, self.tables, fresh)
        planned = [Planned(each, held_at_once(each, queues, verdict)) for each in fresh]
        free = [(index, each.arrived) for index, each in enumerate(planned) if each.held is None]
        decoded = [(index, arrived) for index, arrived in free if isinstance(arrived, Decoded)]
        claims = await claim_events(transaction, self.tables, [arrived for _, arrived in decoded])
        for place, (index, arrived) in enumerate(decoded):
            if place in claims.conflicts:
                planned[index] = Planned(arrived, conflict(arrived, claims.conflicts[place]))
            else:
                planned[index] = Planned(arrived, None, new=place in claims.new)
        return planned

    async def _up_to_the_brake(
        self, transaction: AsyncConnection, planned: Sequence[Planned], brake: Brake
    ) -> int:
        """Count failures in a row; return how many records are passed before the brake holds."""
        failing = [_failed(each) for each in planned]
        if any(failing):
            brake = await released_brake(transaction, self.tables, lock=True)
        streak, limit = brake.after(failing, self.brake_after)
        if limit is None:
            if streak != brake.streak:
                await write_streak(transaction, self.tables, streak)
            return len(planned)
        await pull_brake(transaction, self.tables, streak, _why(planned[limit - 1]))
        left = [each.arrived for each in planned[limit:] if each.new]
        await unclaim_events(transaction, self.tables, (a for a in left if isinstance(a, Decoded)))
        return limit

    async def _settle(
        self, transaction: AsyncConnection, planned: Sequence[Planned]
    ) -> Sequence[str]:
        """Give what is new to the service, hold what is to be held; return a word for each."""
        words = [DUPLICATE if each.held is None else each.held.state for each in planned]
        new = [index for index, each in enumerate(planned) if each.new]
        said = await self.handle(transaction, [planned[index].arrived for index in new])
        for index, word in zip(new, said, strict=True):
            words[index] = word
        holds = [each.held for each in planned if each.held is not None]
        written = await hold(transaction, self.tables, self.cluster_id, holds)
        await put(transaction, self.tables, dead_letters(self.service.name, written))
        return words

    async def handle(self, transaction: AsyncConnection, new: Sequence[Arrived]) -> Sequence[str]:
        """Give new events to the service; return its word for each.

        Raises HandlerFailed where what it raised looks like the database's failing and is not,
        HandlerSlow where it was away for longer than the server waits.
        """
        events = [arrived.event for arrived in new if isinstance(arrived, Decoded)]
        if not events:
            return []
        began = time.monotonic()
        try:
            said = await self.service.handle(transaction, events)
        except Exception as error:
            await self._still_there(transaction, began)
            if may_be_the_handlers(error) and await is_alive(transaction):
                raise HandlerFailed from error
            raise
        await self._still_there(transaction, began)
        return [outcome.value for outcome in said]

    async def _still_there(self, transaction: AsyncConnection, began: float) -> None:
        taken = time.monotonic() - began
        if taken > self.idle_seconds and not await is_alive(transaction):
            message = f"{taken:.0f} s, the server waits for {self.idle_seconds:g}"
            raise HandlerSlow(message)

    async def _move(
        self,
        transaction: AsyncConnection,
        fences: Mapping[Partition, Fence],
        fresh: Sequence[Arrived],
        words: Sequence[str],
    ) -> Mapping[Partition, Fence]:
        moved = {}
        for partition in sorted({arrived.record.partition for arrived in fresh}):
            own = [
                (arrived.record, word)
                for arrived, word in zip(fresh, words, strict=True)
                if arrived.record.partition == partition
            ]
            fence, last = fences[partition], own[-1][0]
            counts = _counts([word for _, word in own], last.offset + 1 - fence.next_offset)
            moved[partition] = await move_fence(
                transaction, self.tables, self.cluster_id, fence, last, counts
            )
        return moved


def received_at(arrived: Arrived) -> datetime | None:
    """Return when the edge took an event; None for what did not come through it, as orders."""
    event = arrived.event if isinstance(arrived, Decoded) else None
    return event.received_at if isinstance(event, Event) else None


def held_at_once(arrived: Arrived, queues: Queues, verdict: Verdict | None) -> Hold | None:
    """Decide what is known before anything is claimed; None where it is to be applied."""
    if isinstance(arrived, Unfetchable):
        return Hold(arrived, DEAD, HeldReason.UNFETCHABLE, arrived.problem, attempts=1)
    if isinstance(arrived, Unreadable):
        return Hold(arrived, DEAD, HeldReason.UNREADABLE, arrived.problem, attempts=1)
    queue = queues.of(arrived)
    if queue is not None:
        queues.join(arrived, queue)
        return Hold(arrived, PARKED, HeldReason.BEHIND, _BEHIND, attempts=0, behind=queue)
    return None if verdict is None else verdict.hold(arrived)


_BEHIND = "Behind: an earlier record of its key, or its event, is parked"

_NEUTRAL = {HeldReason.BEHIND, HeldReason.CONFLICT}
"""Neither a failure nor a success, for the brake."""


def _failed(planned: Planned) -> bool | None:
    reason = _reason(planned)
    return None if reason in _NEUTRAL else reason is not None


def _reason(planned: Planned) -> HeldReason | None:
    return None if planned.held is None else planned.held.reason


def _why(planned: Planned) -> str:
    record = planned.arrived.record
    error = planned.held.error if planned.held is not None else ""
    return f"{record.partition} offset {record.offset}: {error}"


def conflict(decoded: Decoded, known: str) -> Hold:
    """Hold an event that is known with contradicting content."""
    return Hold(decoded, DEAD, HeldReason.CONFLICT, conflict_text(decoded, known), attempts=1)


def conflict_text(decoded: Decoded, known: str) -> str:
    """Say in which fields an event contradicts what is known, whose values are nobody's."""
    names = FINGERPRINT if isinstance(decoded.event, Event) else ()
    places = contradictions(known, decoded.event.fingerprint)
    fields = ", ".join(names[place] if names else f"fact {place}" for place in places)
    return f"Conflict: event {decoded.event.id} is known with another {fields}"


def _counts(words: Sequence[str], passed: int) -> Counts:
    counted = Counter(words)
    return Counts(
        applied=counted[APPLIED],
        duplicate=counted[DUPLICATE],
        stale=counted[STALE],
        parked=counted[PARKED],
        dead_lettered=counted[DEAD],
        # Offsets without a record: transaction markers, what compaction took.
        gaps=passed - len(words),
    )
