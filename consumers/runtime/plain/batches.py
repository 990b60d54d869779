"""Applies a plain batch in one transaction: lock fences, claim, handle, move fences.

A batch is plain if each of its records has an event to apply or to skip as a repeat, and nothing
else: no record is held, or waits behind one, no fence was moved by another process, no topic has
failed before, and the handler has nothing to decide but what it writes. Everything else is left to
`consumers.runtime.apply`: the transaction is rolled back, and the general way repeats the batch and
judges. So this module holds no record, counts no failure and decides about no fault.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.failures import is_too_slow, is_transient
from consumers.runtime.apply.offsets import Counts, Fence, lock_fences, moved_past
from consumers.runtime.apply.plan import counts_of
from consumers.runtime.apply.process import BatchResult, checked_fates, received_at
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.fate import Fate
from consumers.runtime.plain.columns import misplaced
from consumers.runtime.plain.stored import claim, move_fences, require_calm
from consumers.runtime.records import Arrived, Decoded, Partition
from consumers.runtime.service import Driver, NotPlain, PlainHandler
from consumers.runtime.store.database import transaction_of
from router.telemetry.logs import Log, get_log


class PlainBatches:
    """The shorter way of one consumer of one cluster."""

    def __init__(self, stored: StoredBooks, handler: PlainHandler, log: Log | None = None) -> None:
        """Use the consumer's database and its handler of plain batches."""
        self._stored = stored
        self._handler = handler
        self._log = log or get_log("consumer")
        self._failed = False
        self._misplaced: Sequence[str] | None = None

    async def apply(
        self, batch: Sequence[Arrived], expected: Mapping[Partition, Fence]
    ) -> BatchResult | None:
        """Apply a batch, all or nothing; None if the general way has to.

        An error that passes by itself, such as a lost connection or a time-out, is raised: the loop
        waits before it repeats the batch, which goes the general way then.
        """
        decoded = [each for each in batch if isinstance(each, Decoded)]
        if self._failed or len(decoded) < len(batch):
            self._failed = False
            return None
        try:
            async with transaction_of(self._stored.engine) as connection:
                return await self._apply(connection, decoded, expected)
        except NotPlain:
            return None
        except Exception as error:
            self._failed = is_transient(error) or is_too_slow(error)
            if self._failed:
                raise
            # The general way judges it; without this line a bug would only cost time. The message
            # of a database error may contain data of the event.
            self._log.warning("plain_batch_failed", error=type(error).__name__)
            return None

    async def _apply(
        self,
        connection: AsyncConnection,
        batch: Sequence[Decoded],
        expected: Mapping[Partition, Fence],
    ) -> BatchResult:
        tables, cluster_id = self._stored.tables, self._stored.cluster_id
        # SQLAlchemy begins the transaction with its first statement, which this is.
        fences = await lock_fences(connection, tables, cluster_id, expected)
        _require_unmoved(batch, fences, expected)
        driver = await driver_of(connection)
        await self._require_places(driver)
        await require_calm(driver, tables, batch)
        new = await claim(driver, tables, batch)
        fates = [Fate.DUPLICATE] * len(batch)
        events = [batch[index].event for index in new]
        if events:
            answers = checked_fates(await self._handler(driver, events), len(events))
            for index, fate in zip(new, answers, strict=True):
                fates[index] = fate
        moves = _moves(batch, fates, fences)
        await move_fences(driver, tables, cluster_id, moves)
        return _result(batch, fates, {**fences, **{to.partition: to for _, to, _ in moves}})

    async def _require_places(self, driver: Driver) -> None:
        """Raise NotPlain, and log it once, if columns are elsewhere than in the code."""
        if self._misplaced is None:
            self._misplaced = await misplaced(driver, self._stored.service)
            if self._misplaced:
                self._log.warning("plain_batches_off", tables=self._misplaced)
        if self._misplaced:
            message = "columns of a table are in another order than in the code"
            raise NotPlain(message)


async def driver_of(connection: AsyncConnection) -> Driver:
    """Return the driver's connection; its statements are part of the transaction that has begun."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    if not isinstance(driver, asyncpg.Connection) or not driver.is_in_transaction():
        message = "the driver has not begun a transaction"
        raise NotPlain(message)
    return cast("Driver", driver)


def _require_unmoved(
    batch: Sequence[Decoded],
    fences: Mapping[Partition, Fence],
    expected: Mapping[Partition, Fence],
) -> None:
    """Raise NotPlain if a fence has moved since this process saw it, or a record is below it."""
    moved = any(fences[at].next_offset != known.next_offset for at, known in expected.items())
    if moved or any(
        each.record.offset < fences[each.record.partition].next_offset for each in batch
    ):
        message = "another process has moved a fence"
        raise NotPlain(message)


def _moves(
    batch: Sequence[Decoded], fates: Sequence[Fate], fences: Mapping[Partition, Fence]
) -> Sequence[tuple[Fence, Fence, Counts]]:
    own: dict[Partition, list[int]] = {}
    for index, each in enumerate(batch):
        own.setdefault(each.record.partition, []).append(index)
    moves = []
    for partition, indexes in sorted(own.items()):
        fence, last = fences[partition], batch[indexes[-1]].record
        to = moved_past(fence, last)
        counts = counts_of([fates[i] for i in indexes], to.next_offset - fence.next_offset)
        moves.append((fence, to, counts))
    return moves


def _result(
    batch: Sequence[Decoded], fates: Sequence[Fate], fences: Mapping[Partition, Fence]
) -> BatchResult:
    outcomes = Counter(
        (each.record.partition, fate) for each, fate in zip(batch, fates, strict=True)
    )
    effective = (each for each, fate in zip(batch, fates, strict=True) if fate is Fate.APPLIED)
    received = [at for at in map(received_at, effective) if at is not None]
    return BatchResult(fences, outcomes, received=received, plain=True)
