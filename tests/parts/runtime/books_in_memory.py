"""Model of the bookkeeping in memory: keeps the promises of the protocol, and nothing else."""

import asyncio
import copy
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.held import Hold, ParkedLanes, lane
from consumers.runtime.apply.offsets import (
    Claims,
    Counts,
    Fence,
    FenceMoved,
    LastApplied,
    is_other_topic,
)
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from consumers.runtime.records import NO_TIMESTAMP, Arrived, Decoded, Partition, Record
from router.contract.identity import contradicts


@dataclass
class State:
    """Committed data, or the copy that a transaction works on."""

    fences: dict[Partition, Fence] = field(default_factory=dict)
    counts: dict[Partition, list[Counts]] = field(default_factory=dict)
    seen: dict[UUID, str] = field(default_factory=dict)
    held: list[Hold] = field(default_factory=list)
    brakes: dict[str, Brake] = field(default_factory=dict)
    outbox: list[Outgoing] = field(default_factory=list)
    effects: list[UUID] = field(default_factory=list)


@dataclass
class BooksInMemory:
    """Runs one transaction at a time, each on a copy that replaces the state at the commit."""

    state: State = field(default_factory=State)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["ModelTransaction"]:
        """Open a transaction."""
        async with self._turn:
            own = State(**{name: copy.copy(value) for name, value in vars(self.state).items()})
            yield ModelTransaction(own)
            self.state = own


@dataclass(frozen=True)
class ModelTransaction:
    """Bookkeeping within one transaction."""

    state: State

    @property
    def effects(self) -> AsyncConnection:
        """Return the list to which the model's handler writes."""
        return cast("AsyncConnection", self.state.effects)

    async def fences(self) -> Mapping[Partition, Fence]:
        """Return every fence."""
        return dict(self.state.fences)

    async def fences_elsewhere(self) -> Collection[Partition]:
        """Return none: the model has one cluster."""
        return ()

    async def begin_fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID]
    ) -> None:
        """Create missing fences, and set missing topic ids."""
        for partition, offset in begin.items():
            fence = self.state.fences.get(partition) or Fence(partition, offset, offset)
            known = fence.topic_id or topic_ids.get(partition.topic)
            self.state.fences[partition] = replace(fence, topic_id=known)

    async def lock_fences(self, expected: Mapping[Partition, Fence]) -> Mapping[Partition, Fence]:
        """Compare fences with the expected ones."""
        for partition, known in expected.items():
            found = self.state.fences.get(partition)
            if (
                found is None
                or found.next_offset < known.next_offset
                or is_other_topic(known, found)
            ):
                raise FenceMoved(partition)
        return {partition: self.state.fences[partition] for partition in expected}

    async def move_fence(self, fence: Fence, last: Record, counts: Counts) -> Fence:
        """Move a fence past a record."""
        known = LastApplied(last.offset, last.timestamp, last.crc)
        moved = replace(
            fence,
            next_offset=last.offset + 1,
            last=None if last.timestamp == NO_TIMESTAMP else known,
        )
        return self._moved(fence, moved, counts)

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over a gap."""
        counts = Counts(gaps=next_offset - fence.next_offset)
        return self._moved(fence, replace(fence, next_offset=next_offset), counts)

    def _moved(self, fence: Fence, to: Fence, counts: Counts) -> Fence:
        partition = fence.partition
        if self.state.fences[partition].next_offset != fence.next_offset:
            raise FenceMoved(partition)
        self.state.fences[partition] = to
        self.state.counts[partition] = [*self.state.counts.get(partition, []), counts]
        return to

    async def claim(self, arrived: Sequence[Decoded]) -> Claims:
        """Claim events one at a time."""
        new, conflicts = set[int](), dict[int, str]()
        for index, decoded in enumerate(arrived):
            known = self.state.seen.get(decoded.event.id)
            if known is None:
                self.state.seen[decoded.event.id] = decoded.event.fingerprint
                new.add(index)
            elif contradicts(known, decoded.event.fingerprint):
                conflicts[index] = known
        return Claims(frozenset(new), conflicts)

    async def unclaim(self, arrived: Collection[Decoded]) -> None:
        """Undo claims."""
        for decoded in arrived:
            del self.state.seen[decoded.event.id]

    async def parked(self, fresh: Sequence[Arrived]) -> ParkedLanes:
        """Return the parked lanes and events."""
        parked = [each for each in self.state.held if each.fate is Fate.PARKED]
        lanes = {each.behind or lane(each.record) for each in parked}
        events = {
            each.arrived.event.id: each.behind or lane(each.record)
            for each in parked
            if isinstance(each.arrived, Decoded)
        }
        return ParkedLanes(lanes & {lane(each.record) for each in fresh}, events)

    async def hold(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Hold records that are not yet held."""
        known = {_place(each) for each in self.state.held}
        written = [each for each in holds if _place(each) not in known]
        self.state.held = [*self.state.held, *written]
        return written

    async def brakes(self, topics: Collection[str] | None = None) -> Mapping[str, Brake]:
        """Return brakes."""
        every = self.state.brakes
        return {topic: every[topic] for topic in every if topics is None or topic in topics}

    async def lock_brakes(self, topics: Collection[str]) -> Mapping[str, Brake]:
        """Return brakes, created if missing."""
        for topic in topics:
            self.state.brakes.setdefault(topic, Brake(topic))
        return await self.brakes(topics)

    async def write_streak(self, topic: str, streak: int) -> None:
        """Store a streak."""
        self.state.brakes[topic] = replace(self.state.brakes[topic], streak=streak)

    async def pull_brake(self, topic: str, streak: int, why: str) -> Brake:
        """Set the brake of a topic."""
        self.state.brakes[topic] = Brake(topic, streak, datetime.now(UTC), why)
        return self.state.brakes[topic]

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Store records to publish."""
        self.state.outbox = [*self.state.outbox, *outgoing]

    def begin_handler(self) -> None:
        """Do nothing: no statement can fail."""

    async def check(self) -> None:
        """Do nothing: no constraint is deferred."""

    async def alive(self) -> bool:
        """Return True: memory always responds."""
        return True

    async def aborted_by(self) -> BaseException | None:
        """Return None: no statement aborts a transaction."""
        return None


def _place(held: Hold) -> tuple[Partition, int, int]:
    return held.record.partition, held.record.offset, held.record.crc
