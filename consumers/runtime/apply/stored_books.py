"""Bookkeeping of a consumer in PostgreSQL: the runtime's tables in the consumer's schema."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.brake import Brake, lock_brakes, pull_brake, read_brakes, write_streak
from consumers.runtime.apply.held import HeldReason, Hold, ParkedLanes, hold, read_parked_lanes
from consumers.runtime.apply.offsets import (
    Claims,
    Counts,
    Fence,
    begin_fences,
    claim_events,
    lock_fences,
    move_fence,
    pass_gap,
    read_fences,
    read_fences_elsewhere,
    unclaim_events,
)
from consumers.runtime.apply.outbox import (
    Outgoing,
    delete_sent,
    lock_relay,
    put,
    read_unsent,
    set_aside,
)
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Record
from consumers.runtime.service import Service
from consumers.runtime.store.database import (
    check_constraints,
    first_failure,
    forget_first_failure,
    is_aborted,
    is_alive,
    is_not_set_up,
    note_first_failures,
    transaction_of,
)
from consumers.runtime.store.due_records import (
    DueRecord,
    FailedAttempt,
    count_attempt,
    end_due,
    lock_due,
    postpone_due,
    read_due,
)
from consumers.runtime.store.schema_version import require_upgraded
from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class StoredBooks:
    """Bookkeeping of one consumer of one cluster, in its database."""

    engine: AsyncEngine
    service: Service
    cluster_id: str

    def __post_init__(self) -> None:
        """Record failed statements: the first one is the reason why a transaction is aborted."""
        note_first_failures(self.engine)

    @property
    def tables(self) -> RuntimeTables:
        """The runtime's tables of the consumer."""
        return RuntimeTables.of(self.service.schema)

    def within(self, connection: AsyncConnection) -> "StoredTransaction":
        """Return the bookkeeping in a transaction that is already open."""
        return StoredTransaction(connection, self.tables, self.cluster_id)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["StoredTransaction"]:
        """Open a transaction. Raises SchemaOutdated if the tables no longer exist."""
        try:
            async with transaction_of(self.engine) as connection:
                yield self.within(connection)
        except DBAPIError as error:
            if is_not_set_up(error):
                async with transaction_of(self.engine) as connection:
                    await require_upgraded(connection, self.service)
            raise


@dataclass(frozen=True)
class StoredTransaction:
    """Bookkeeping within one database transaction."""

    effects: AsyncConnection
    tables: RuntimeTables
    cluster_id: str

    async def fences(self) -> Mapping[Partition, Fence]:
        """Read every fence of the cluster."""
        return await read_fences(self.effects, self.tables, self.cluster_id)

    async def fences_elsewhere(self) -> Collection[Partition]:
        """Read which partitions have a fence of another cluster."""
        return await read_fences_elsewhere(self.effects, self.tables, self.cluster_id)

    async def begin_fences(
        self, begin: Mapping[Partition, int], topic_ids: Mapping[str, UUID]
    ) -> None:
        """Store missing fences and missing topic ids."""
        await begin_fences(self.effects, self.tables, self.cluster_id, begin, topic_ids)

    async def lock_fences(self, expected: Mapping[Partition, Fence]) -> Mapping[Partition, Fence]:
        """Lock fences. Raises FenceMoved."""
        return await lock_fences(self.effects, self.tables, self.cluster_id, expected)

    async def move_fence(self, fence: Fence, last: Record, counts: Counts) -> Fence:
        """Move a fence past a record. Raises FenceMoved."""
        return await move_fence(self.effects, self.tables, self.cluster_id, fence, last, counts)

    async def pass_gap(self, fence: Fence, next_offset: int) -> Fence:
        """Move a fence over offsets without a record. Raises FenceMoved."""
        return await pass_gap(self.effects, self.tables, self.cluster_id, fence, next_offset)

    async def claim(self, arrived: Sequence[Decoded]) -> Claims:
        """Claim events."""
        return await claim_events(self.effects, self.tables, arrived)

    async def unclaim(self, arrived: Collection[Decoded]) -> None:
        """Undo claims of this transaction."""
        await unclaim_events(self.effects, self.tables, arrived)

    async def parked(self, fresh: Sequence[Arrived]) -> ParkedLanes:
        """Read the parked lanes and events that records in `fresh` have to wait for."""
        return await read_parked_lanes(self.effects, self.tables, fresh)

    async def hold(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Write held records; return those that were not already held."""
        return await hold(self.effects, self.tables, self.cluster_id, holds)

    async def brakes(self, topics: Collection[str] | None = None) -> Mapping[str, Brake]:
        """Read brakes."""
        return await read_brakes(self.effects, self.tables, topics)

    async def lock_brakes(self, topics: Collection[str]) -> Mapping[str, Brake]:
        """Lock brakes, created if missing."""
        return await lock_brakes(self.effects, self.tables, topics)

    async def write_streak(self, topic: str, streak: int) -> None:
        """Store how many records of a topic failed in a row."""
        await write_streak(self.effects, self.tables, topic, streak)

    async def pull_brake(self, topic: str, streak: int, why: str) -> Brake:
        """Set the brake of a topic."""
        return await pull_brake(self.effects, self.tables, topic, streak, why)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Put records into the outbox."""
        await put(self.effects, self.tables, outgoing)

    async def due(self, limit: int) -> Sequence[int]:
        """Read which parked records are due."""
        return await read_due(self.effects, self.tables, limit)

    async def lock_due(self, number: int) -> DueRecord | None:
        """Lock a parked record that is due."""
        return await lock_due(self.effects, self.tables, number)

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """Open a savepoint."""
        return self.effects.begin_nested()

    async def end_retry(self, number: int, fate: Fate) -> None:
        """End a locked record."""
        await end_due(self.effects, self.tables, number, fate.value)

    async def postpone(
        self, number: int, pause: float, error: str, reason: HeldReason | None = None
    ) -> None:
        """Postpone a record that is still parked."""
        await postpone_due(self.effects, self.tables, number, pause, error, reason)

    async def count_attempt(self, number: int, tried: FailedAttempt) -> None:
        """Store a failed attempt of a locked record."""
        await count_attempt(self.effects, self.tables, number, tried)

    async def lock_relay(self) -> bool:
        """Take the relay's lock, unless another process has it."""
        return await lock_relay(self.effects, self.tables)

    async def unsent(self, limit: int, without: Sequence[str]) -> Sequence[tuple[int, Outgoing]]:
        """Read the oldest records to publish."""
        return await read_unsent(self.effects, self.tables, limit, without)

    async def set_aside(self, number: int, error: str) -> None:
        """Set aside a record that the broker refuses."""
        await set_aside(self.effects, self.tables, number, error)

    async def delete_sent(self, numbers: Sequence[int]) -> None:
        """Delete records that the broker has acknowledged."""
        await delete_sent(self.effects, self.tables, numbers)

    def begin_handler(self) -> None:
        """Clear statements that failed before the handler."""
        forget_first_failure(self.effects)

    async def check(self) -> None:
        """Check deferred constraints now, while it is clear that the handler caused a failure."""
        await check_constraints(self.effects)

    async def alive(self) -> bool:
        """Return whether the server still responds."""
        return await is_alive(self.effects)

    async def aborted_by(self) -> BaseException | None:
        """Return the error of the first failed statement if the transaction is aborted."""
        found = first_failure(self.effects)
        return found if found is not None and await is_aborted(self.effects) else None
