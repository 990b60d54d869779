"""Protocol of the store for applying a batch: fences, claims, held records, brakes, outbox.

Everything happens in one transaction, together with the effects. `stored_books`
implements it on PostgreSQL; tests use an implementation in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.held import Hold, ParkedLanes
from consumers.runtime.apply.offsets import Claims, Counts, Fence
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.records import Arrived, Decoded, Partition, Record


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
