"""Bookkeeping on the model: what `stored_books` does on PostgreSQL, with the same locks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.held import HeldReason, Hold, ParkedLanes, lane
from consumers.runtime.apply.offsets import (
    Claims,
    Counts,
    Fence,
    FenceMoved,
    contradicting,
    first_of_each,
    is_other_topic,
    moved_past,
)
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Record
from consumers.runtime.store.due_records import DueRecord, FailedAttempt
from tests.simulation.store import errors, holding
from tests.simulation.store.database import ModelDatabase, Session, no_pause
from tests.simulation.store.rows import BRAKES, FENCES, HELD, OUTBOX, SEEN, FenceEntry, OutboxEntry

_COUNTS = [item.name for item in fields(Counts)]


@dataclass(frozen=True)
class ModelBooks:
    """Bookkeeping of one process, which `gate` stops while it is frozen."""

    database: ModelDatabase
    gate: Callable[[], Awaitable[None]] = no_pause
    owner: object = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["ModelTransaction"]:
        """Open a transaction."""
        async with self.database.session(self.gate, self.owner) as session:
            yield ModelTransaction(session)


@dataclass(frozen=True)
class ModelTransaction:
    """Bookkeeping within one transaction of the model."""

    session: Session

    @property
    def effects(self) -> AsyncConnection:
        """Return this transaction, to which the handler of the simulation writes."""
        return cast("AsyncConnection", self)

    async def fences(self) -> Mapping[Partition, Fence]:
        """Read every fence."""
        await self.session.begin_statement(writes=False)
        return {at: entry.fence for at, entry in self.session.view.rows(FENCES)}

    async def fences_elsewhere(self) -> Collection[Partition]:
        """Return none: the model has one cluster."""
        return ()

    async def begin_fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID]
    ) -> None:
        """Create missing fences, and set missing topic ids."""
        await self.session.begin_statement()
        for at, offset in sorted(begin.items()):
            await self.session.lock(("fence", at))
            known = self.session.view.get(FENCES, at)
            topic_id = topic_ids.get(at.topic)
            if known is None:
                fence = Fence(at, offset, offset, None, self.session.began, topic_id)
                self.session.view.put(FENCES, at, FenceEntry(fence))
            elif known.fence.topic_id is None and topic_id is not None:
                fence = replace(known.fence, topic_id=topic_id)
                self.session.view.put(FENCES, at, replace(known, fence=fence))

    async def lock_fences(self, expected: Mapping[Partition, Fence]) -> Mapping[Partition, Fence]:
        """Lock fences. Raises FenceMoved."""
        await self.session.begin_statement()
        view, locked = self.session.view, {}
        for at in sorted(at for at in expected if view.get(FENCES, at) is not None):
            await self.session.lock(("fence", at))
            entry = view.get(FENCES, at)
            if entry is not None:
                locked[at] = entry.fence
        for at, known in expected.items():
            found = locked.get(at)
            if (
                found is None
                or found.next_offset < known.next_offset
                or is_other_topic(known, found)
            ):
                raise FenceMoved(at)
        return locked

    async def move_fence(self, fence: Fence, last: Record, counts: Counts) -> Fence:
        """Move a fence past a record. Raises FenceMoved."""
        moved = moved_past(fence, last)
        await self._move(fence, moved, counts)
        return moved

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets without a record. Raises FenceMoved."""
        moved = replace(fence, next_offset=next_offset, touched=None)
        await self._move(fence, moved, Counts(gaps=next_offset - fence.next_offset))
        return moved

    async def _move(self, fence: Fence, to: Fence, counts: Counts) -> None:
        await self.session.begin_statement()
        # A row that does not match, or would break a constraint, is not waited for.
        self._moved(fence, to, counts)
        await self.session.lock(("fence", fence.partition))
        moved = self._moved(fence, to, counts)
        self.session.view.put(FENCES, fence.partition, moved)

    def _moved(self, fence: Fence, to: Fence, counts: Counts) -> FenceEntry:
        """Return the row after a move. Raises FenceMoved if the stored one does not match."""
        entry = self.session.view.get(FENCES, fence.partition)
        if entry is None or entry.fence.next_offset != fence.next_offset:
            raise FenceMoved(fence.partition)
        total = Counts(*(getattr(entry.counts, n) + getattr(counts, n) for n in _COUNTS))
        stored = replace(
            entry.fence, next_offset=to.next_offset, last=to.last, touched=self.session.began
        )
        if sum(getattr(total, n) for n in _COUNTS) != stored.next_offset - stored.first_offset:
            raise self.session.abort(errors.check_violated())
        return FenceEntry(stored, total)

    async def claim(self, arrived: Sequence[Decoded]) -> Claims:
        """Claim events: waits for another transaction that claims one of them."""
        first = first_of_each(arrived)
        if not first:
            return Claims(frozenset(), {})
        await self.session.begin_statement()
        view, claimed = self.session.view, set()
        for event_id, index in sorted(first.items()):
            if view.get(SEEN, event_id) is None:
                await self.session.lock(("seen", event_id))
            if view.get(SEEN, event_id) is None:
                view.put(SEEN, event_id, arrived[index].event.fingerprint)
                claimed.add(event_id)
        new = frozenset(index for event_id, index in first.items() if event_id in claimed)
        if len(new) == len(arrived):
            return Claims(new, {})
        if first.keys() - claimed:
            await self.session.begin_statement(writes=False)
        known = {each: view.get(SEEN, each) for each in first}
        texts = {each: text for each, text in known.items() if text is not None}
        return Claims(new, contradicting(arrived, new, texts))

    async def unclaim(self, arrived: Collection[Decoded]) -> None:
        """Undo claims of this transaction."""
        await self.session.begin_statement()
        for decoded in arrived:
            self.session.view.delete(SEEN, decoded.event.id)

    async def parked(self, fresh: Sequence[Arrived]) -> ParkedLanes:
        """Read the parked lanes and events that concern `fresh`."""
        await self.session.begin_statement(writes=False)
        lanes = {lane(each.record) for each in fresh}
        events = {each.event.id for each in fresh if isinstance(each, Decoded)}
        found = [
            (row.lane, row.event_id)
            for _, row in self.session.view.rows(HELD)
            if row.state == Fate.PARKED and (row.lane in lanes or row.event_id in events)
        ]
        return ParkedLanes(
            {own for own, _ in found} & lanes, {event: own for own, event in found if event}
        )

    async def hold(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Hold records; return those that were not already held."""
        return await holding.hold(self.session, holds)

    async def brakes(self, topics: Collection[str] | None = None) -> Mapping[str, Brake]:
        """Read brakes."""
        await self.session.begin_statement(writes=False)
        every = self.session.view.rows(BRAKES)
        return {topic: brake for topic, brake in every if topics is None or topic in topics}

    async def lock_brakes(self, topics: Collection[str]) -> Mapping[str, Brake]:
        """Lock brakes, created if missing."""
        if not topics:
            return {}
        await self.session.begin_statement()
        for topic in sorted(topics):
            if self.session.view.get(BRAKES, topic) is None:
                await self.session.lock(("brake", topic))
            if self.session.view.get(BRAKES, topic) is None:
                self.session.view.put(BRAKES, topic, Brake(topic))
        await self.session.begin_statement()
        for topic in sorted(topics):
            await self.session.lock(("brake", topic))
        every = self.session.view.rows(BRAKES)
        return {topic: brake for topic, brake in every if topic in topics}

    async def write_streak(self, topic: str, streak: int) -> None:
        """Store how many records of a topic failed in a row."""
        await self.session.begin_statement()
        if self.session.view.get(BRAKES, topic) is not None:
            await self.session.lock(("brake", topic))
        brake = self.session.view.get(BRAKES, topic)
        if brake is not None:
            self.session.view.put(BRAKES, topic, replace(brake, streak=streak))

    async def pull_brake(self, topic: str, streak: int, why: str) -> Brake:
        """Set the brake of a topic."""
        await self.session.begin_statement()
        await self.session.lock(("brake", topic))
        detail = f"{streak} records in a row could not be applied, the last one {why}"
        pulled = Brake(topic, streak, self.session.began, detail)
        self.session.view.put(BRAKES, topic, pulled)
        return pulled

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Put records into the outbox."""
        if not outgoing:
            return
        await self.session.begin_statement()
        for each in outgoing:
            number = self.session.database.committed.next_number(OUTBOX)
            self.session.view.put(OUTBOX, number, OutboxEntry(each))

    async def due(self, limit: int) -> Sequence[int]:
        """Read which parked records are due."""
        return await holding.due(self.session, limit)

    async def lock_due(self, number: int) -> DueRecord | None:
        """Lock a parked record that is due."""
        return await holding.lock_due(self.session, number)

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """Open a savepoint."""
        return self.session.savepoint()

    async def end_retry(self, number: int, fate: Fate) -> None:
        """End a locked record."""
        await holding.end_retry(self.session, number, fate)

    async def postpone(
        self, number: int, pause: float, error: str, reason: HeldReason | None = None
    ) -> None:
        """Postpone a record that is still parked."""
        await holding.postpone(self.session, number, pause, error, reason)

    async def count_attempt(self, number: int, tried: FailedAttempt) -> None:
        """Store a failed attempt of a locked record."""
        await holding.count_attempt(self.session, number, tried)

    async def lock_relay(self) -> bool:
        """Take the relay's lock, unless another process has it."""
        await self.session.begin_statement(writes=False)
        return self.session.try_lock(("relay",))

    async def unsent(self, limit: int, without: Sequence[str]) -> Sequence[tuple[int, Outgoing]]:
        """Read the oldest records to publish."""
        await self.session.begin_statement(writes=False)
        found = [
            (number, entry.outgoing)
            for number, entry in self.session.view.rows(OUTBOX)
            if entry.refused is None and entry.outgoing.topic not in without
        ]
        return found[:limit]

    async def set_aside(self, number: int, error: str) -> None:
        """Set aside a record that the broker refuses."""
        await self.session.begin_statement()
        await self.session.lock(("outbox", number))
        entry = self.session.view.get(OUTBOX, number)
        if entry is not None:
            self.session.view.put(OUTBOX, number, replace(entry, refused=error))

    async def delete_sent(self, numbers: Sequence[int]) -> None:
        """Delete records that the broker has acknowledged."""
        await self.session.begin_statement()
        for number in numbers:
            await self.session.lock(("outbox", number))
            self.session.view.delete(OUTBOX, number)

    def begin_handler(self) -> None:
        """Forget statements that failed before the handler."""
        self.session.first_failure = None

    async def check(self) -> None:
        """Fail if a statement of the handler has failed."""
        await self.session.begin_statement(writes=False)

    async def alive(self) -> bool:
        """Return whether the server still answers."""
        return not self.session.is_lost

    async def aborted_by(self) -> BaseException | None:
        """Return the error of the statement that aborted the transaction; None if none did."""
        return self.session.first_failure if self.session.is_aborted else None
