"""Applies one batch in one transaction: lock fences, hold, claim, handle, move fences.

This is the core of exactly-once. The offset commit to Kafka happens later and
elsewhere, for lag tools only; nothing here depends on it.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from consumers.runtime.apply.bookkeeping import Bookkeeping, BookkeepingTransaction
from consumers.runtime.apply.brake import Brake, holding
from consumers.runtime.apply.dead_letters import dead_letters
from consumers.runtime.apply.fault import Fault, blame
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.offsets import NO_IDS, Fence
from consumers.runtime.apply.plan import (
    PlannedRecord,
    by_topic,
    conflict_hold,
    counts_as_failure,
    counts_of,
    describe_hold,
    hold_reason,
    hold_without_claim,
    up_to_limits,
)
from consumers.runtime.fate import HANDLER_FATES, Fate
from consumers.runtime.records import (
    Arrived,
    Decoded,
    Partition,
    Reader,
    Record,
    TooNew,
    Undecodable,
    decode,
)
from consumers.runtime.service import Handler, HandlerFailed, HandlerSlow, Poison, Service
from router.contract.event import Event
from router.contract.wire import decode_event


@dataclass(frozen=True)
class BatchResult:
    """Result of applying a batch: the new fences, and record counts by partition and fate.

    `brakes` are the brakes that hold, by topic; `cut` are the partitions with
    records that were skipped because of a brake; `received` are the times at
    which the edge received the applied events.
    """

    fences: Mapping[Partition, Fence]
    outcomes: Counter[tuple[Partition, Fate]]
    cut: frozenset[Partition] = frozenset()
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    conflicts: int = 0
    received: Sequence[datetime] = ()
    plain: bool = False
    """Whether it was applied the shorter way."""


class ShorterWay(Protocol):
    """Applies the batches that it finds plain."""

    async def apply(
        self, batch: Sequence[Arrived], expected: Mapping[Partition, Fence]
    ) -> BatchResult | None:
        """Apply a batch, all or nothing; None, without any effect, if the general way has to."""


@dataclass(frozen=True)
class Applier:
    """Applies batches for one consumer of one cluster."""

    books: Bookkeeping
    service: Service
    handler: Handler
    brake_after: int = 20
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """Readers by topic name on the broker; all other topics contain events of the contract."""
    idle_seconds: float = 20
    """After so long without a statement the server may have closed the connection."""
    shorter: ShorterWay | None = None
    """Tried first, if the consumer has one."""
    other_cluster_too: bool = False
    """Whether topics that were read from another cluster are read from their start."""

    def decode(self, record: Record) -> Decoded | Undecodable | TooNew:
        """Decode a record with the reader of its topic."""
        return decode(record, self.readers.get(record.partition.topic, decode_event))

    async def fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID] = NO_IDS
    ) -> Mapping[Partition, Fence]:
        """Return the fences of the cluster; store missing ones at the start of their logs.

        `begin` has the start of the log of each partition. New fences are stored
        before anything is read, so that records lost before they are applied are
        detected. `topic_ids` are the broker's ids of the topics by name, as far as
        the broker reports them: a fence without an id gets the id of its topic.
        A partition of a topic that was read from another cluster gets none, unless
        `other_cluster_too`: nothing shows where to begin.
        """
        if not begin:
            return {}
        async with self.books.transaction() as books:
            known = await books.fences()
            wanted = {at: begin[at] for at in begin if _must_store(known.get(at), at, topic_ids)}
            if not self.other_cluster_too and wanted.keys() - known.keys():
                elsewhere = await books.fences_elsewhere()
                moved = of_another_cluster(wanted, known, elsewhere)
                wanted = {at: wanted[at] for at in wanted.keys() - moved}
            if not wanted:
                return known
            await books.begin_fences(wanted, topic_ids)
            return await books.fences()

    async def brakes(self) -> Mapping[str, Brake]:
        """Return the brakes that hold, by topic name on the broker."""
        async with self.books.transaction() as books:
            return holding(await books.brakes())

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets at the end of a log that are known to contain no record.

        Raises FenceMoved if the stored fence differs from `fence`.
        """
        async with self.books.transaction() as books:
            await books.lock_fences({fence.partition: fence})
            return await books.pass_gap(fence, next_offset)

    async def apply(
        self,
        batch: Sequence[Arrived],
        expected: Mapping[Partition, Fence],
        decision: HoldDecision | None = None,
    ) -> BatchResult:
        """Apply a batch and move the fences, all or nothing.

        `expected` has the fence, as last seen by this process, of each partition
        of the batch. `decision`, for a batch of one, is how to hold its record
        instead of applying it. Records of a topic are skipped from the point
        at which its brake holds, before or within the batch.
        """
        if decision is None and self.shorter is not None:
            done = await self.shorter.apply(batch, expected)
            if done is not None:
                return done
        return await self._apply(batch, expected, decision)

    async def _apply(
        self,
        batch: Sequence[Arrived],
        expected: Mapping[Partition, Fence],
        decision: HoldDecision | None,
    ) -> BatchResult:
        async with self.books.transaction() as books:
            fences = await books.lock_fences(expected)
            fresh = [d for d in batch if d.record.offset >= fences[d.record.partition].next_offset]
            planned, brakes = await self._plan(books, fresh, decision)
            fates = await self._handle_and_hold(books, planned)
            passed = [each.arrived for each in planned]
            moved = await self._move(books, fences, passed, fates)
        outcomes = Counter(
            (arrived.record.partition, fate) for arrived, fate in zip(passed, fates, strict=True)
        )
        outcomes.update(
            (d.record.partition, Fate.REDELIVERED)
            for d in batch
            if d.record.offset < fences[d.record.partition].next_offset
        )
        left = {id(d) for d in fresh} - {id(d) for d in passed}
        cut = frozenset(d.record.partition for d in fresh if id(d) in left)
        conflicts = sum(hold_reason(each) is HeldReason.CONFLICT for each in planned)
        effective = (d for d, fate in zip(passed, fates, strict=True) if fate is Fate.APPLIED)
        received = [at for at in map(received_at, effective) if at is not None]
        return BatchResult({**fences, **moved}, outcomes, cut, brakes, conflicts, received)

    async def _plan(
        self, books: BookkeepingTransaction, fresh: Sequence[Arrived], decision: HoldDecision | None
    ) -> tuple[Sequence[PlannedRecord], Mapping[str, Brake]]:
        """Plan the records that may be processed; return them and the brakes that hold."""
        topics = {arrived.record.partition.topic for arrived in fresh}
        brakes = await books.brakes(topics)
        held = holding(brakes)
        free = [each for each in fresh if each.record.partition.topic not in held]
        planned = await self._claim(books, free, decision)
        limits, pulled = await self._count_failures(books, planned, brakes)
        kept = [each.arrived for each in up_to_limits(planned, limits)]
        if len(kept) < len(planned):
            # A kept record may duplicate one that is cut: claim again as if the rest never came.
            mine = (each.arrived for each in planned if each.new)
            decoded = [arrived for arrived in mine if isinstance(arrived, Decoded)]
            await books.unclaim(decoded)
            planned = await self._claim(books, kept, decision)
        return planned, {**held, **pulled}

    async def _claim(
        self, books: BookkeepingTransaction, fresh: Sequence[Arrived], decision: HoldDecision | None
    ) -> Sequence[PlannedRecord]:
        """Claim the events to apply, and plan a hold or nothing for the other records."""
        parked = await books.parked(fresh)
        planned = [
            PlannedRecord(each, hold_without_claim(each, parked, decision)) for each in fresh
        ]
        free = [(index, each.arrived) for index, each in enumerate(planned) if each.held is None]
        decoded = [(index, arrived) for index, arrived in free if isinstance(arrived, Decoded)]
        claims = await books.claim([arrived for _, arrived in decoded])
        for place, (index, arrived) in enumerate(decoded):
            if place in claims.conflicts:
                planned[index] = PlannedRecord(
                    arrived, conflict_hold(arrived, claims.conflicts[place])
                )
            else:
                planned[index] = PlannedRecord(arrived, None, new=place in claims.new)
        return planned

    async def _count_failures(
        self,
        books: BookkeepingTransaction,
        planned: Sequence[PlannedRecord],
        brakes: Mapping[str, Brake],
    ) -> tuple[Mapping[str, int], Mapping[str, Brake]]:
        """Count failures in a row by topic; return limits on records, and the brakes set now.

        A topic whose records may all be processed is in neither.
        """
        topics = by_topic(planned)
        failing = [topic for topic in topics if any(map(counts_as_failure, topics[topic]))]
        brakes = {**brakes, **await books.lock_brakes(failing)}
        limits, pulled = {}, {}
        for topic, own in topics.items():
            brake = brakes.get(topic, Brake(topic))
            streak, limit = brake.after([counts_as_failure(each) for each in own], self.brake_after)
            if limit is None:
                if streak != brake.streak:
                    await books.write_streak(topic, streak)
                continue
            limits[topic], pulled[topic] = limit, brake
            if brake.held_since is None:
                why = describe_hold(own[limit - 1])
                pulled[topic] = await books.pull_brake(topic, streak, why)
        return limits, pulled

    async def _handle_and_hold(
        self, books: BookkeepingTransaction, planned: Sequence[PlannedRecord]
    ) -> Sequence[Fate]:
        """Pass new events to the handler, hold planned holds; return the fate of each record."""
        fates = [Fate.DUPLICATE if each.held is None else each.held.fate for each in planned]
        new = [index for index, each in enumerate(planned) if each.new]
        answers = await self.handle(books, [planned[index].arrived for index in new])
        for index, fate in zip(new, answers, strict=True):
            fates[index] = fate
        holds = [each.held for each in planned if each.held is not None]
        written = await books.hold(holds)
        await books.publish(dead_letters(self.service.name, written))
        return fates

    async def handle(self, books: BookkeepingTransaction, new: Sequence[Arrived]) -> Sequence[Fate]:
        """Pass new events to the service's handler; return its fate for each.

        Raises Poison or HandlerFailed if the handler cannot apply them, HandlerSlow
        if it took longer than the server waits, and errors of the store unchanged.
        """
        events = [arrived.event for arrived in new if isinstance(arrived, Decoded)]
        if not events:
            return []
        books.begin_handler()
        began = time.monotonic()
        try:
            answers = checked_fates(await self.handler(books.effects, events), len(events))
            # A deferred constraint would fail only at the commit, outside the handler.
            await books.check()
        except Exception as error:
            await self._require_alive(books, began)
            await self._raise_unless_handler_fault(books, error)
            raise HandlerFailed from error
        await self._require_alive(books, began)
        return answers

    async def _raise_unless_handler_fault(
        self, books: BookkeepingTransaction, error: Exception
    ) -> None:
        """Raise an error that is not the handler's fault; also re-raise Poison.

        On a lost connection no error is the handler's fault: the handler may have
        swallowed the connection error.
        """
        found = blame(error, await books.aborted_by())
        if found.fault is Fault.SLOW:
            message = "the server ended the transaction because it took too long"
            raise HandlerSlow(message) from error
        if found.fault is Fault.STORE:
            raise found.error
        if not await books.alive():
            message = "the connection to the database was lost while the handler ran"
            raise ConnectionError(message) from error
        if isinstance(error, Poison):
            raise error

    async def _require_alive(self, books: BookkeepingTransaction, began: float) -> None:
        taken = time.monotonic() - began
        if taken > self.idle_seconds and not await books.alive():
            message = f"took {taken:.0f} s; an idle transaction ends after {self.idle_seconds:g} s"
            raise HandlerSlow(message)

    async def _move(
        self,
        books: BookkeepingTransaction,
        fences: Mapping[Partition, Fence],
        fresh: Sequence[Arrived],
        fates: Sequence[Fate],
    ) -> Mapping[Partition, Fence]:
        moved = {}
        for partition in sorted({arrived.record.partition for arrived in fresh}):
            own = [
                (arrived.record, fate)
                for arrived, fate in zip(fresh, fates, strict=True)
                if arrived.record.partition == partition
            ]
            fence, last = fences[partition], own[-1][0]
            counts = counts_of([fate for _, fate in own], last.offset + 1 - fence.next_offset)
            moved[partition] = await books.move_fence(fence, last, counts)
        return moved


def checked_fates(answers: Sequence[Fate], events: int) -> Sequence[Fate]:
    """Return a handler's fates; raises ValueError unless there is a valid one for each event."""
    if len(answers) != events or not HANDLER_FATES.issuperset(answers):
        message = f"the handler must return Fate.APPLIED or Fate.STALE for each of {events} events"
        raise ValueError(message)
    return [Fate(each) for each in answers]


def of_another_cluster(
    wanted: Collection[Partition],
    known: Collection[Partition],
    elsewhere: Collection[Partition],
) -> set[Partition]:
    """Return the partitions without a fence whose topic was read from another cluster only.

    `known` are the partitions with a fence, `elsewhere` those with one of another cluster. A
    partition that was added to a topic of this cluster belongs to none of them.
    """
    here = {partition.topic for partition in known}
    topics = {partition.topic for partition in elsewhere} - here
    return {at for at in wanted if at not in known and (at in elsewhere or at.topic in topics)}


def _must_store(fence: Fence | None, partition: Partition, topic_ids: Mapping[str, UUID]) -> bool:
    """Return whether a fence is missing, or has no topic id although the id is known."""
    return fence is None or (fence.topic_id is None and partition.topic in topic_ids)


def received_at(arrived: Arrived) -> datetime | None:
    """Return when the edge received an event; None for messages of other origin, such as orders."""
    event = arrived.event if isinstance(arrived, Decoded) else None
    return event.received_at if isinstance(event, Event) else None
