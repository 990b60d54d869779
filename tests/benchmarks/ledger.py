"""Compares the ledger in batches with one event at a time, and with two limits of PostgreSQL.

All do the same work on one database in turn. The CPU time is that of Python, from the
record as read from Kafka on, and that of all processes of PostgreSQL.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import SecretStr

from consumers.ledger.handler import handle
from consumers.ledger.plain.handling import handle_plainly
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.engines import open_engine, open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.contract.event import event_id
from router.contract.topics import Topics
from router.terminal.processes import keep_loaded
from tests.benchmarks import replayed
from tests.benchmarks.copied import copy, empty, make_tables, rows_since, transaction_number
from tests.benchmarks.replayed import Recording
from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.database import Database, connected
from tests.parts.connections import connection_to
from tests.parts.contract.events import event
from tests.parts.runtime.counting import written

BATCH = 500
SMALL_BATCH = 50
_PARTITION = Partition("payment", 0)

BATCHES = "batches of 500"
SMALL = "batches of 50"
ALONE = "one by one"
REPLAYED = "the same statements"
COPIED = "COPY of the rows"


@dataclass(frozen=True)
class Plan:
    """How many events are applied in each round."""

    rounds: int = 5
    batches: int = 4
    alone: int = 200


@dataclass(frozen=True)
class Cost:
    """Cost of one way of writing events, in one round."""

    events: int
    seconds: float
    python_seconds: float
    postgres_seconds: float


@dataclass(frozen=True)
class Result:
    """Figures over the rounds, CPU in microseconds per event."""

    name: str
    per_second: Figure
    python_microseconds: Figure
    postgres_microseconds: Figure


@dataclass
class _Bench:
    database: Database
    applier: Applier
    connection: Any
    recording: Recording
    tables: Sequence[str]
    """Those that are empty before the first event."""
    next_number: int = 0
    found: dict[str, list[Cost]] = field(default_factory=dict)

    async def round(self, plan: Plan, *, warm: bool) -> None:
        """Measure every way once."""
        await replayed.empty(self.connection, self.tables)
        first = await transaction_number(self.connection)
        together = self._records(plan.batches * BATCH)
        await self.applier.fences({_PARTITION: 0})
        async with self.recording.only_this():
            costs = {BATCHES: await self._applied(together, BATCH)}
        rows = await rows_since(self.connection, first)
        costs[SMALL] = await self._applied(self._records(BATCH), SMALL_BATCH)
        costs[ALONE] = await self._applied(self._records(plan.alone), 1)
        costs[REPLAYED] = await self._replayed(len(together))
        costs[COPIED] = await self._copied(rows, len(together))
        if warm:
            for name, cost in costs.items():
                self.found.setdefault(name, []).append(cost)

    def _records(self, count: int) -> list[Record]:
        first, self.next_number = self.next_number, self.next_number + count
        return [_record(number) for number in range(first, self.next_number)]

    async def _applied(self, records: Sequence[Record], size: int) -> Cost:
        fences = await self.applier.fences({_PARTITION: 0})
        end = self._clock(len(records))
        for first in range(0, len(records), size):
            batch = [self._decoded(record) for record in records[first : first + size]]
            fences = (await self.applier.apply(batch, fences)).fences
        return end()

    def _decoded(self, record: Record) -> Decoded:
        decoded = self.applier.decode(record)
        if not isinstance(decoded, Decoded):
            raise TypeError(decoded)
        return decoded

    async def _replayed(self, events: int) -> Cost:
        await replayed.empty(self.connection, self.tables)
        await self.applier.fences({_PARTITION: 0})
        end = self._clock(events)
        await replayed.replay(self.connection, self.recording.batches)
        cost = end()
        kept = await self.connection.fetchval("SELECT count(*) FROM ledger.event")
        assert kept == events, "the same statements must write the same rows"
        return cost

    async def _copied(self, rows: Mapping[str, bytes], events: int) -> Cost:
        await empty(self.connection, rows)
        end = self._clock(events)
        await copy(self.connection, rows)
        return end()

    def _clock(self, events: int) -> Callable[[], Cost]:
        server, own = self.database.cpu_seconds(), time.process_time()
        started = time.perf_counter()

        def end() -> Cost:
            seconds, spent = time.perf_counter() - started, time.process_time() - own
            return Cost(events, seconds, spent, self.database.cpu_seconds() - server)

        return end


async def measure(
    database: Database, plan: Plan, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Return the figures of each way."""
    async with _opened(database) as bench:
        # As the process of a consumer does.
        keep_loaded()
        for number in range(plan.rounds + 1):
            say(f"ledger, round {number} of {plan.rounds}")
            await bench.round(plan, warm=number > 0)
    return [asdict(_result(name, costs)) for name, costs in bench.found.items()]


@contextlib.asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[_Bench]:
    url = SecretStr(database.url)
    tuning = Tuning.model_validate({})
    settings = ConsumerSettings("ledger", connection_to(), url, Topics(), tuning)
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, SERVICE)
    await upgrading.dispose()
    engine, recording = open_engine(settings), Recording()
    recording.listen(engine)
    try:
        async with connected(database.url) as connection:
            await make_tables(connection)
            tables = await replayed.let_empty(connection)
            stored = StoredBooks(engine, SERVICE, "benchmark")
            plain = PlainBatches(stored, handle_plainly)
            applier = Applier(stored, SERVICE, handle, shorter=plain)
            yield _Bench(database, applier, connection, recording, tables)
    finally:
        await engine.dispose()


def _result(name: str, costs: Sequence[Cost]) -> Result:
    return Result(
        name,
        Figure.of(each.events / each.seconds for each in costs),
        Figure.of(each.python_seconds / each.events * 1e6 for each in costs),
        Figure.of(each.postgres_seconds / each.events * 1e6 for each in costs),
    )


def _record(number: int) -> Record:
    happened = event(
        id=event_id("blockatm", "shop-eu", str(number)),
        reference=f"B-{number}",
        provider_reference=str(number),
        amount="100.50",
        currency="USDT",
    )
    out = written(happened)
    at = 1_700_000_000_000 + number
    return Record(_PARTITION, number, at, out.key, out.value, out.headers)
