"""What applying a batch asks of the store: fences, claims, what is held, brakes, the outbox.

All of it happens within one transaction, together with the effects. The
store's own is in `stored_books`; whatever keeps these promises can stand in.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.held import Hold, Queues
from consumers.runtime.apply.offsets import Claims, Counts, Fence
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.records import Arrived, Decoded, Partition, Record


class Books(Protocol):
    """One open transaction. Nothing of it counts unless it is committed as a whole."""

    @property
    def effects(self) -> AsyncConnection:
        """What a handler writes its effects through."""

    async def fences(self) -> Mapping[Partition, Fence]:
        """Return every fence of the cluster."""

    async def begin_fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID]
    ) -> None:
        """Make the fences that are not there; give those without a topic's id theirs."""

    async def lock_fences(self, expected: Mapping[Partition, Fence]) -> Mapping[Partition, Fence]:
        """Lock and return fences.

        Raises FenceMoved where one is gone, behind what is known, or belongs to a recreated topic.
        """

    async def move_fence(self, fence: Fence, last: Record, counts: Counts) -> Fence:
        """Move a fence behind a record. Raises FenceMoved where it is not where it was."""

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets without a record. Raises FenceMoved as well."""

    async def claim(self, arrived: Sequence[Decoded]) -> Claims:
        """Claim events; of the same one again only the first is new, now or in any batch before."""

    async def unclaim(self, arrived: Collection[Decoded]) -> None:
        """Take back claims of this same transaction."""

    async def parked(self, fresh: Sequence[Arrived]) -> Queues:
        """Tell behind what parked records these have to wait."""

    async def hold(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Hold records; return those that were not held already."""

    async def brakes(self, topics: Collection[str] | None = None) -> Mapping[str, Brake]:
        """Return the brakes of these topics, or of all that have one."""

    async def lock_brakes(self, topics: Collection[str]) -> Mapping[str, Brake]:
        """Lock and return a brake for each of these topics."""

    async def write_streak(self, topic: str, streak: int) -> None:
        """Store how many records of a topic failed in a row."""

    async def pull_brake(self, topic: str, streak: int, why: str) -> Brake:
        """Hold a topic."""

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Have records published, in this order, after the commit."""

    def begin_handler(self) -> None:
        """Note that the handler begins: a statement that fails from now on is its own."""

    async def check(self) -> None:
        """Raise what the handler's effects would fail with at the commit, or did fail with."""

    async def alive(self) -> bool:
        """Tell whether the store still answers in this transaction."""

    async def aborted_by(self) -> BaseException | None:
        """Return the statement of the handler that aborted the transaction; None if none did."""


class Bookkeeping(Protocol):
    """Opens transactions of one consumer of one cluster."""

    def transaction(self) -> AbstractAsyncContextManager[Books]:
        """Open one: it commits where the block ends well, and rolls back otherwise."""
