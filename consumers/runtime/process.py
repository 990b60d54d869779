"""One batch: fence, claim, handle, move the fence, in one transaction. The heart.

The commit to Kafka comes after and elsewhere: it is a courtesy for lag tools,
nothing here depends on it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.offsets import (
    Counts,
    Fence,
    begin_fences,
    claim_events,
    lock_fences,
    move_fence,
    read_fences,
)
from consumers.runtime.records import Decoded, Partition
from consumers.runtime.service import Outcome, Service
from consumers.runtime.store import transaction_of
from consumers.runtime.tables import RuntimeTables

REDELIVERED = "redelivered"
DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Applier:
    """Applies batches for one consumer of one cluster."""

    engine: AsyncEngine
    service: Service
    tables: RuntimeTables
    cluster_id: str

    async def fences(self, begin: Mapping[Partition, int]) -> Mapping[Partition, Fence]:
        """Return the fences of these partitions; one that never was stands where its log begins.

        It is stored before anything is read: should the log lose records
        before they are applied, the fence is there to tell.
        """
        if not begin:
            return {}
        async with transaction_of(self.engine) as transaction:
            known = await read_fences(transaction, self.tables, self.cluster_id)
            if begin.keys() <= known.keys():
                return known
            await begin_fences(transaction, self.tables, self.cluster_id, begin)
            return await read_fences(transaction, self.tables, self.cluster_id)

    async def apply(
        self, batch: Sequence[Decoded], expected: Mapping[Partition, Fence]
    ) -> "Applied":
        """Apply a batch and move the fences, all or nothing.

        `expected` holds the fence this process knows for each partition of the batch.
        """
        async with transaction_of(self.engine) as transaction:
            fences = await lock_fences(transaction, self.tables, self.cluster_id, expected)
            fresh = [d for d in batch if d.record.offset >= fences[d.record.partition].next_offset]
            words = await self._handle(transaction, fresh)
            moved = await self._move(transaction, fences, fresh, words)
        outcomes = Counter(
            (decoded.record.partition, word) for decoded, word in zip(fresh, words, strict=True)
        )
        outcomes.update(
            (d.record.partition, REDELIVERED)
            for d in batch
            if d.record.offset < fences[d.record.partition].next_offset
        )
        return Applied({**fences, **moved}, outcomes)

    async def _handle(
        self, transaction: AsyncConnection, fresh: Sequence[Decoded]
    ) -> Sequence[str]:
        """Give the new events to the service; return one word for each record."""
        new = sorted(await claim_events(transaction, self.tables, fresh))
        words = [DUPLICATE] * len(fresh)
        if new:
            said = await self.service.handle(transaction, [fresh[index].event for index in new])
            for index, outcome in zip(new, said, strict=True):
                words[index] = outcome.value
        return words

    async def _move(
        self,
        transaction: AsyncConnection,
        fences: Mapping[Partition, Fence],
        fresh: Sequence[Decoded],
        words: Sequence[str],
    ) -> Mapping[Partition, Fence]:
        moved = {}
        for partition in sorted({decoded.record.partition for decoded in fresh}):
            own = [
                (decoded.record, word)
                for decoded, word in zip(fresh, words, strict=True)
                if decoded.record.partition == partition
            ]
            fence, last = fences[partition], own[-1][0]
            counts = _counts([word for _, word in own], last.offset + 1 - fence.next_offset)
            moved[partition] = await move_fence(
                transaction, self.tables, self.cluster_id, fence, last, counts
            )
        return moved


@dataclass(frozen=True)
class Applied:
    """What a batch came to: the fences as they stand now, the records by partition and word."""

    fences: Mapping[Partition, Fence]
    outcomes: Counter[tuple[Partition, str]]


def _counts(words: Sequence[str], passed: int) -> Counts:
    counted = Counter(words)
    return Counts(
        applied=counted[Outcome.APPLIED.value],
        duplicate=counted[DUPLICATE],
        stale=counted[Outcome.STALE.value],
        # Offsets without a record: transaction markers, what compaction took.
        gaps=passed - len(words),
    )
