"""Protocol of the store for applying, retrying and publishing: all that exactly-once depends on.

Fences, claims, held records, brakes and outbox change in one transaction, together with the
effects. `stored_books` implements it on PostgreSQL; tests use an implementation in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.held import HeldReason, Hold, ParkedLanes
from consumers.runtime.apply.offsets import Claims, Counts, Fence
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Record
from consumers.runtime.store.due_records import DueRecord, FailedAttempt


class BookkeepingTransaction(Protocol):
    """One open transaction: committed as a whole, or without any effect."""

    @property
    def effects(self) -> AsyncConnection:
        """Connection through which a handler writes its effects."""

    async def fences(self) -> Mapping[Partition, Fence]:
        """Return every fence of the cluster."""

    async def fences_elsewhere(self) -> Collection[Partition]:
        """Return the partitions that have a fence of another cluster."""

    async def begin_fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID]
    ) -> None:
        """Store the missing fences, and add the topic's id to fences that have none."""

    async def lock_fences(self, expected: Mapping[Partition, Fence]) -> Mapping[Partition, Fence]:
        """Lock and return fences.

        Raises FenceMoved if one is missing, below the expected offset, or of a recreated topic.
        """

    async def move_fence(self, fence: Fence, last: Record, counts: Counts) -> Fence:
        """Move a fence past a record. Raises FenceMoved if the stored fence has changed."""

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets without a record. Raises FenceMoved if it has changed."""

    async def claim(self, arrived: Sequence[Decoded]) -> Claims:
        """Claim event ids. An id is new once, across this batch and all earlier ones."""

    async def unclaim(self, arrived: Collection[Decoded]) -> None:
        """Undo claims of this transaction."""

    async def parked(self, fresh: Sequence[Arrived]) -> ParkedLanes:
        """Return the parked lanes and events that records in `fresh` have to wait for."""

    async def hold(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Hold records; return those that were not already held."""

    async def brakes(self, topics: Collection[str] | None = None) -> Mapping[str, Brake]:
        """Return the brakes of `topics`, or all brakes."""

    async def lock_brakes(self, topics: Collection[str]) -> Mapping[str, Brake]:
        """Lock and return a brake for each of `topics`, created if missing."""

    async def write_streak(self, topic: str, streak: int) -> None:
        """Store how many records of a topic failed in a row."""

    async def pull_brake(self, topic: str, streak: int, why: str) -> Brake:
        """Set the brake of a topic."""

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish records, in this order, after the commit."""

    async def due(self, limit: int) -> Sequence[int]:
        """Return the numbers of parked records that are due: the oldest one of each lane."""

    async def lock_due(self, number: int) -> DueRecord | None:
        """Lock a parked record that is due; None if it no longer is, or is locked already."""

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """Open a part that is undone alone if the block fails."""

    async def end_retry(self, number: int, fate: Fate) -> None:
        """End a locked record that was applied, or found stale or duplicate."""

    async def postpone(
        self, number: int, pause: float, error: str, reason: HeldReason | None = None
    ) -> None:
        """Postpone a record that is still parked, in seconds, without counting an attempt."""

    async def count_attempt(self, number: int, tried: FailedAttempt) -> None:
        """Store a failed attempt of a locked record, which stays parked or dies."""

    async def lock_relay(self) -> bool:
        """Become the one that publishes, until the transaction ends; False if another one is."""

    async def unsent(self, limit: int, without: Sequence[str]) -> Sequence[tuple[int, Outgoing]]:
        """Return the oldest records to publish with their numbers, except those of some topics."""

    async def set_aside(self, number: int, error: str) -> None:
        """Set aside a record that the broker refuses permanently."""

    async def delete_sent(self, numbers: Sequence[int]) -> None:
        """Delete records that the broker has acknowledged."""

    def begin_handler(self) -> None:
        """Mark the start of the handler: statements that fail from now on are its own."""

    async def check(self) -> None:
        """Raise the error with which the handler's effects failed, or would fail at the commit."""

    async def alive(self) -> bool:
        """Return whether the store still responds in this transaction."""

    async def aborted_by(self) -> BaseException | None:
        """Return the error of the statement that aborted the transaction; None if none did."""


class Bookkeeping(Protocol):
    """Opens transactions for one consumer of one cluster."""

    def transaction(self) -> AbstractAsyncContextManager[BookkeepingTransaction]:
        """Open a transaction: commits if the block succeeds, rolls back otherwise."""
