"""One batch: fence, hold, claim, handle, move the fence, in one transaction. The heart.

The commit to Kafka comes after and elsewhere: it is a courtesy for lag tools,
nothing here depends on it.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from consumers.runtime.apply.bookkeeping import Bookkeeping, Books
from consumers.runtime.apply.brake import Brake, holding
from consumers.runtime.apply.dead_letters import dead_letters
from consumers.runtime.apply.fault import Fault, blame
from consumers.runtime.apply.held import HeldReason, Verdict
from consumers.runtime.apply.offsets import NO_IDS, Fence
from consumers.runtime.apply.plan import (
    Planned,
    by_topic,
    conflict,
    counts_of,
    failed,
    held_at_once,
    reason_of,
    why_held,
    within,
)
from consumers.runtime.fate import A_HANDLERS, Fate
from consumers.runtime.records import (
    Arrived,
    Decoded,
    Partition,
    Reader,
    Record,
    TooNew,
    Unreadable,
    decode,
)
from consumers.runtime.service import Handler, HandlerFailed, HandlerSlow, Poison, Service
from router.contract.event import Event
from router.contract.wire import decode_event


@dataclass(frozen=True)
class Applied:
    """What a batch came to: the fences as they stand now, the records by partition and fate.

    `brakes` are those that hold, by topic, and `cut` the partitions of which
    records were left for that reason; `received` says when the edge took the
    applied events.
    """

    fences: Mapping[Partition, Fence]
    outcomes: Counter[tuple[Partition, Fate]]
    cut: frozenset[Partition] = frozenset()
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    conflicts: int = 0
    received: Sequence[datetime] = ()


@dataclass(frozen=True)
class Applier:
    """Applies batches for one consumer of one cluster."""

    books: Bookkeeping
    service: Service
    handler: Handler
    brake_after: int = 20
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """By the topic's name on the broker; any other topic holds events of the contract."""
    idle_seconds: float = 20
    """After so long without a statement the server may have hung up."""

    def decode(self, record: Record) -> Decoded | Unreadable | TooNew:
        """Read the event of a record."""
        return decode(record, self.readers.get(record.partition.topic, decode_event))

    async def fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID] = NO_IDS
    ) -> Mapping[Partition, Fence]:
        """Return the fences of these partitions; one that never was stands where its log begins.

        It is stored before anything is read: should the log lose records
        before they are applied, the fence is there to tell. `topic_ids` are the
        broker's ids of the topics, by name, as far as it says them: a fence
        without an id is given that of its topic.
        """
        if not begin:
            return {}
        async with self.books.transaction() as books:
            known = await books.fences()
            wanted = {at: begin[at] for at in begin if _wants(known.get(at), at, topic_ids)}
            if not wanted:
                return known
            await books.begin_fences(wanted, topic_ids)
            return await books.fences()

    async def brakes(self) -> Mapping[str, Brake]:
        """Return the brakes that hold, by the topic's name on the broker."""
        async with self.books.transaction() as books:
            return holding(await books.brakes())

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets at the end of a log that are known to hold no record.

        Raises FenceMoved where it is not where `fence` says.
        """
        async with self.books.transaction() as books:
            await books.lock_fences({fence.partition: fence})
            return await books.pass_gap(fence, next_offset)

    async def apply(
        self,
        batch: Sequence[Arrived],
        expected: Mapping[Partition, Fence],
        verdict: Verdict | None = None,
    ) -> Applied:
        """Apply a batch and move the fences, all or nothing.

        `expected` holds the fence this process knows for each partition of
        the batch; `verdict` says how the one record of a batch of one is held
        instead of applied. Records of a topic whose brake holds, or takes hold
        within the batch, are left alone.
        """
        async with self.books.transaction() as books:
            fences = await books.lock_fences(expected)
            fresh = [d for d in batch if d.record.offset >= fences[d.record.partition].next_offset]
            planned, brakes = await self._plan(books, fresh, verdict)
            fates = await self._settle(books, planned)
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
        conflicts = sum(reason_of(each) is HeldReason.CONFLICT for each in planned)
        effective = (d for d, fate in zip(passed, fates, strict=True) if fate is Fate.APPLIED)
        received = [at for at in map(received_at, effective) if at is not None]
        return Applied({**fences, **moved}, outcomes, cut, brakes, conflicts, received)

    async def _plan(
        self, books: Books, fresh: Sequence[Arrived], verdict: Verdict | None
    ) -> tuple[Sequence[Planned], Mapping[str, Brake]]:
        """Plan what may be passed, in its order; return it, and the brakes that hold."""
        topics = {arrived.record.partition.topic for arrived in fresh}
        brakes = await books.brakes(topics)
        held = holding(brakes)
        free = [each for each in fresh if each.record.partition.topic not in held]
        planned = await self._claim(books, free, verdict)
        limits, pulled = await self._count_failures(books, planned, brakes)
        kept = [each.arrived for each in within(planned, limits)]
        if len(kept) < len(planned):
            # Its own twin may be left: what is passed is claimed as if the rest never came.
            mine = (each.arrived for each in planned if each.new)
            decoded = [arrived for arrived in mine if isinstance(arrived, Decoded)]
            await books.unclaim(decoded)
            planned = await self._claim(books, kept, verdict)
        return planned, {**held, **pulled}

    async def _claim(
        self, books: Books, fresh: Sequence[Arrived], verdict: Verdict | None
    ) -> Sequence[Planned]:
        """Claim what is to be applied, and say of everything else what it is instead."""
        queues = await books.parked(fresh)
        planned = [Planned(each, held_at_once(each, queues, verdict)) for each in fresh]
        free = [(index, each.arrived) for index, each in enumerate(planned) if each.held is None]
        decoded = [(index, arrived) for index, arrived in free if isinstance(arrived, Decoded)]
        claims = await books.claim([arrived for _, arrived in decoded])
        for place, (index, arrived) in enumerate(decoded):
            if place in claims.conflicts:
                planned[index] = Planned(arrived, conflict(arrived, claims.conflicts[place]))
            else:
                planned[index] = Planned(arrived, None, new=place in claims.new)
        return planned

    async def _count_failures(
        self,
        books: Books,
        planned: Sequence[Planned],
        brakes: Mapping[str, Brake],
    ) -> tuple[Mapping[str, int], Mapping[str, Brake]]:
        """Count failures in a row, by topic; return how many records pass, and what holds now.

        A topic whose records all pass is in neither.
        """
        topics = by_topic(planned)
        failing = [topic for topic in topics if any(map(failed, topics[topic]))]
        brakes = {**brakes, **await books.lock_brakes(failing)}
        limits, pulled = {}, {}
        for topic, own in topics.items():
            brake = brakes.get(topic, Brake(topic))
            streak, limit = brake.after([failed(each) for each in own], self.brake_after)
            if limit is None:
                if streak != brake.streak:
                    await books.write_streak(topic, streak)
                continue
            limits[topic], pulled[topic] = limit, brake
            if brake.held_since is None:
                why = why_held(own[limit - 1])
                pulled[topic] = await books.pull_brake(topic, streak, why)
        return limits, pulled

    async def _settle(self, books: Books, planned: Sequence[Planned]) -> Sequence[Fate]:
        """Give what is new to the service, hold what is to be held; return the fate of each."""
        fates = [Fate.DUPLICATE if each.held is None else each.held.fate for each in planned]
        new = [index for index, each in enumerate(planned) if each.new]
        said = await self.handle(books, [planned[index].arrived for index in new])
        for index, fate in zip(new, said, strict=True):
            fates[index] = fate
        holds = [each.held for each in planned if each.held is not None]
        written = await books.hold(holds)
        await books.publish(dead_letters(self.service.name, written))
        return fates

    async def handle(self, books: Books, new: Sequence[Arrived]) -> Sequence[Fate]:
        """Give new events to the service; return the fate it answers for each.

        Raises Poison, HandlerFailed where the handler cannot apply them, HandlerSlow
        where it was away for longer than the server waits; and as it is what the store is
        to blame for.
        """
        events = [arrived.event for arrived in new if isinstance(arrived, Decoded)]
        if not events:
            return []
        books.begin_handler()
        began = time.monotonic()
        try:
            said = answered(await self.handler(books.effects, events), len(events))
            # What is deferred to the commit would fail there, and be nobody's.
            await books.check()
        except Exception as error:
            await self._still_there(books, began)
            await self._blame(books, error)
            raise HandlerFailed from error
        await self._still_there(books, began)
        return said

    async def _blame(self, books: Books, error: Exception) -> None:
        """Raise what the handler failed with, unless it is its own failure; Poison is its word.

        On a connection that is lost nothing is: it may have swallowed that.
        """
        found = blame(error, await books.aborted_by())
        if found.fault is Fault.SLOW:
            message = "the server cut it off"
            raise HandlerSlow(message) from error
        if found.fault is Fault.STORE:
            raise found.error
        if not await books.alive():
            message = "the connection to the database was lost while the handler ran"
            raise ConnectionError(message) from error
        if isinstance(error, Poison):
            raise error

    async def _still_there(self, books: Books, began: float) -> None:
        taken = time.monotonic() - began
        if taken > self.idle_seconds and not await books.alive():
            message = f"{taken:.0f} s, the server waits for {self.idle_seconds:g}"
            raise HandlerSlow(message)

    async def _move(
        self,
        books: Books,
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


def answered(said: Sequence[Fate], events: int) -> Sequence[Fate]:
    """Return what a handler answered; raises where that is not a fate of its own for each event."""
    if len(said) != events or not A_HANDLERS.issuperset(said):
        message = f"a handler answers Fate.APPLIED or Fate.STALE for each of {events} events"
        raise ValueError(message)
    return [Fate(each) for each in said]


def _wants(fence: Fence | None, partition: Partition, topic_ids: Mapping[str, UUID]) -> bool:
    """Tell whether a fence is to be made, or lacks an id that is known now."""
    return fence is None or (fence.topic_id is None and partition.topic in topic_ids)


def received_at(arrived: Arrived) -> datetime | None:
    """Return when the edge took an event; None for what did not come through it, as orders."""
    event = arrived.event if isinstance(arrived, Decoded) else None
    return event.received_at if isinstance(event, Event) else None
