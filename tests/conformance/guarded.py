"""A consumer's handler as in a FastStream service: under the guard, without the runtime."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from consumers.exactly_once.applying import RecordApplier
from consumers.exactly_once.store import FenceKey, GroupFence, Store
from consumers.exactly_once.tables import exactly_once_tables
from consumers.exactly_once.timing import Timing
from consumers.runtime.records import Partition, Reader, Record
from consumers.runtime.service import Service
from router.contract.wire import OutgoingRecord, decode_event
from tests.conformance.bench import CLUSTER, Bench, bench

GROUP = "guarded"


@dataclass
class GuardedBench:
    """A bench of the same handler with another way to apply records: one by one."""

    plain: Bench
    fences: dict[Partition, GroupFence] = field(default_factory=dict)
    """As last read or moved."""
    store: Store = field(default_factory=lambda: Store(exactly_once_tables(MetaData())))

    @property
    def topics(self) -> Sequence[str]:
        """The topics of which there are histories."""
        return self.plain.topics

    def append(self, out: OutgoingRecord, topic: str) -> Record:
        """Put a record at the end of partition 0 of a topic."""
        return self.plain.append(out, topic)

    def tell(self) -> Sequence[Record]:
        """Append all histories of all topics, and return the records."""
        return self.plain.tell()

    async def content(self) -> Mapping[str, str]:
        """Hash the consumer's own tables."""
        return await self.plain.content()

    async def apply(self, records: Sequence[Record], size: int = 1) -> Counter[str]:
        """Apply records in order, each in a transaction; return the count of each outcome."""
        del size
        words: Counter[str] = Counter()
        for record in records:
            fence = await self._fence(record.partition)
            if record.offset < fence.next_offset:
                words["redelivered"] += 1
                continue
            applied = await self._applier(record).apply(fence, record, self._handle)
            self.fences[record.partition], outcome = applied
            words[outcome] += 1
        return words

    async def rewind(self, *, forget: bool = False) -> None:
        """Set the fences back to the start of the log."""
        self.fences.clear()
        async with self.plain.engine.begin() as connection:
            await connection.execute(self.store.tables.fence.delete())
            if forget:
                await connection.execute(self.store.tables.event.delete())

    async def _fence(self, partition: Partition) -> GroupFence:
        if partition in self.fences:
            return self.fences[partition]
        key = FenceKey(GROUP, CLUSTER, partition)
        async with self.plain.engine.begin() as connection:
            await self.store.begin(connection, key, 0, None)
            fence = await self.store.read(connection, key)
        assert fence is not None
        return fence

    def _applier(self, record: Record) -> RecordApplier:
        read: Reader = self.plain.actions.readers.get(record.partition.topic, decode_event)
        return RecordApplier(self.plain.engine, self.store, read, Timing())

    async def _handle(self, content: Any, session: AsyncSession) -> None:  # noqa: ANN401 - the reader's
        await self.plain.actions.handle(await session.connection(), [content])


async def guarded_bench(engine: AsyncEngine, service: Service) -> GuardedBench:
    """Set up a consumer's handler under the guard, with the guard's tables."""
    own = GuardedBench(bench(engine, service))
    async with engine.begin() as connection:
        await own.store.create(connection)
    return own
