"""A consumer under test: its database, its records, and its effects so far."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.apply.process import Applier, BatchResult
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Arrived, Partition, Record, TooNew
from consumers.runtime.service import ConsumerActions, Service, Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.topics import FAMILIES, ORDER, Topics
from router.contract.wire import OutgoingRecord
from tests.conformance.histories import OUTCOMES, records_of

CLUSTER = "cluster-of-the-tests"

Log = list[Record]


@dataclass
class Bench:
    """A consumer with default configuration, without its background work."""

    engine: AsyncEngine
    service: Service
    actions: ConsumerActions
    logs: dict[Partition, Log] = field(default_factory=dict)

    @property
    def tables(self) -> RuntimeTables:
        """The runtime's tables of this consumer."""
        return RuntimeTables.of(self.service.schema)

    @property
    def topics(self) -> Sequence[str]:
        """The consumer's topics of which there are histories."""
        return [topic for topic in self.service.topics if topic in TOLD]

    @property
    def applier(self) -> Applier:
        """A new applier of batches, with empty caches, as after a start."""
        stored, plain = StoredBooks(self.engine, self.service, CLUSTER), self.actions.plain
        return Applier(
            stored,
            self.service,
            self.actions.handle,
            1000,
            dict(self.actions.readers),
            shorter=None if plain is None else PlainBatches(stored, plain),
        )

    def append(self, out: OutgoingRecord, topic: str) -> Record:
        """Put a record at the end of partition 0 of a topic."""
        partition = Partition(topic, 0)
        log = self.logs.setdefault(partition, [])
        record = Record(partition, len(log), 1000 + len(log), out.key, out.value, out.headers)
        log.append(record)
        return record

    def tell(self) -> Sequence[Record]:
        """Append all histories of all topics, and return the records."""
        return [self.append(out, topic) for topic in self.topics for out in TOLD[topic]]

    def arrived(self, records: Sequence[Record]) -> Sequence[Arrived]:
        """Decode records like the loop."""
        found = [self.applier.decode(record) for record in records]
        return [each for each in found if not isinstance(each, TooNew)]

    async def fences(self) -> Mapping[Partition, Fence]:
        """Read the fences, and create missing ones."""
        return await self.applier.fences(dict.fromkeys(self.logs, 0))

    async def apply(self, records: Sequence[Record], size: int = 7) -> Counter[str]:
        """Apply records in batches, in order; return the count of each outcome."""
        words: Counter[str] = Counter()
        for begin in range(0, len(records), size):
            applied = await self.once(records[begin : begin + size])
            words.update(_words(applied))
        return words

    async def once(self, records: Sequence[Record]) -> BatchResult:
        """Apply one batch."""
        known = await self.fences()
        own = {record.partition for record in records}
        expected = {partition: known[partition] for partition in own}
        return await self.applier.apply(self.arrived(records), expected)

    async def rewind(self, *, forget: bool = False) -> None:
        """Set the fences back to the start of the log, like `offsets reset`."""
        async with self.engine.begin() as connection:
            await connection.execute(self.tables.fence.delete())
            if forget:
                await connection.execute(self.tables.seen_event.delete())

    async def content(self) -> Mapping[str, str]:
        """Hash the consumer's own tables, which must not change when an event is applied again."""
        schema = self.service.schema
        runtime = {table.name for table in self.tables.metadata.tables.values()}
        async with self.engine.connect() as connection:
            names = await connection.scalars(
                text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"),
                {"schema": schema},
            )
            own = sorted(n for n in names if n not in runtime and not n.endswith("_version"))
            assert own, "a consumer keeps what it did"
            query = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
            return {
                name: str(await connection.scalar(text(query.format(f'"{schema}"."{name}"'))))
                for name in own
            }


def _words(applied: BatchResult) -> Counter[str]:
    words: Counter[str] = Counter()
    for (_, word), number in applied.outcomes.items():
        words[word] += number
    return words


TOLD: Mapping[str, Sequence[OutgoingRecord]] = {
    topic: records_of(topic, topic) for topic in (*FAMILIES, ORDER, OUTCOMES)
}


def bench(engine: AsyncEngine, service: Service, prefix: str = "") -> Bench:
    """Set up a consumer with default options and without its background work."""
    setup = Setup(service.options(), Topics(prefix))
    return Bench(engine, service, replace(service.actions(setup), work=()))
