"""What other ways of the ledger would gain: `python -m tests.benchmarks.ledger_gains`.

Plain batches are applied and their outcomes published, in five ways by turns, with one PostgreSQL
and one Apache Kafka: as the ledger does it; in two lanes, which are two transactions of one process
at once, over disjoint partitions; in two processes, each with half of the partitions; with one row
of the outbox for all outcomes of a batch; and without outcomes. Lanes and packed rows are not in
the product: here they do the least that they would have to, and neither end at a revocation nor
find a refused record. Prints events a second and the CPU per event.
"""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any, Final
from unittest import mock

import msgspec
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.plain import handling
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.member.relay import Relay, relay_producer
from consumers.runtime.member.upkeep import PAUSE_SECONDS
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.plain.stored import publish_plainly
from consumers.runtime.records import Decoded, Record
from consumers.runtime.service import Driver, Setup
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.engines import open_engine, open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.broker.connection import KafkaConnection
from router.broker.partitioner import partition_of
from router.contract.outcome import OutcomeEvent, OutcomeFacts
from router.contract.topics import Topics
from router.contract.wire import encode_outcome
from router.terminal.processes import keep_loaded
from tests.benchmarks.drained import BATCH, PARTITIONS, paying
from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.clocks import machine, require_linux
from tests.benchmarks.running.database import Database, connected, started_database
from tests.parts import brokers
from tests.parts.connections import connection_to
from tests.parts.environment import Wishes
from tests.parts.source import ROOT
from tests.parts.waiting import eventually

AS_IT_IS: Final = "as it is"
TWO_LANES: Final = "two lanes"
TWO_PROCESSES: Final = "two processes"
PACKED: Final = "packed outbox"
NO_OUTCOMES: Final = "no outcomes"
WAYS: Final = (AS_IT_IS, TWO_LANES, TWO_PROCESSES, PACKED, NO_OUTCOMES)

BATCHES: Final = 8
"""How many batches a turn has."""

_OUTCOMES: Final = 6
"""Partitions of the outcomes."""

Send = Callable[[], Awaitable[int]]
Work = Callable[[], Awaitable[float]]
"""Applies records and returns the CPU seconds of other processes."""

Outcomes = Sequence[OutcomeEvent | OutcomeFacts]
Packet = list[tuple[bytes, bytes, list[tuple[str, bytes]]]]


async def publish_packed(driver: Driver, schema: str, topic: str, outcomes: Outcomes) -> None:
    """Publish outcomes like `publish_plainly`, in one row."""
    records = [encode_outcome(each, topic) for each in outcomes]
    packed = msgspec.msgpack.encode([(each.key, each.value, each.headers) for each in records])
    query = f"INSERT INTO {schema}.outbox (topic, value, headers) VALUES ($1, $2, '[]')"
    await driver.fetch(query, topic, packed)


async def publish_nothing(driver: Driver, schema: str, topic: str, outcomes: Outcomes) -> None:
    """Publish no outcome."""


class PackedRelay:
    """Sends the packets of the outbox: one batch for each partition, and one row deleted."""

    def __init__(self, connection: Any, producer: AIOKafkaProducer) -> None:  # noqa: ANN401 - asyncpg publishes no types
        """Use this connection and this producer, which has started."""
        self._connection, self._producer = connection, producer
        self._reader = msgspec.msgpack.Decoder(Packet)

    async def send_waiting(self) -> int:
        """Send the oldest packet; return the number of its records."""
        async with self._connection.transaction():
            row = await self._connection.fetchrow(
                "SELECT id, topic, value FROM ledger.outbox ORDER BY id LIMIT 1"
            )
            if row is None:
                return 0
            packet = self._reader.decode(row["value"])
            await self._send(row["topic"], packet)
            await self._connection.execute("DELETE FROM ledger.outbox WHERE id = $1", row["id"])
        return len(packet)

    async def _send(self, topic: str, packet: Packet) -> None:
        batches: dict[int, Any] = {}
        for key, value, headers in packet:
            number = partition_of(key, range(_OUTCOMES))
            batch = batches.setdefault(number, self._producer.create_batch())
            assert batch.append(timestamp=None, key=key, value=value, headers=headers)
        sent = [
            await self._producer.send_batch(batch, topic, partition=number)
            for number, batch in batches.items()
        ]
        await asyncio.gather(*sent)


@dataclass(frozen=True)
class Cost:
    """Events a second, and microseconds of CPU for each."""

    a_second: float
    python: float
    postgres: float


@dataclass
class _Bench:
    database: Database
    applier: Applier
    senders: Mapping[str, Send]
    other: "OtherProcess"
    next_number: int = 0
    found: dict[str, list[Cost]] = field(default_factory=lambda: {way: [] for way in WAYS})

    async def turn(self, way: str) -> Cost:
        """Apply some batches in one way, and publish their outcomes at the same time."""
        numbers = self._numbers(BATCHES * BATCH)
        records = [paying(number, number) for number in numbers]
        lanes = [records] if way in {AS_IT_IS, PACKED, NO_OUTCOMES} else _lanes(records)
        works: list[Work] = [partial(_apply, self.applier, lane) for lane in lanes]
        if way == TWO_PROCESSES:
            works[1] = await self.other.prepared(numbers)
        applying = asyncio.Event()
        began, python, postgres = self._clocks()
        sending = asyncio.create_task(_sent(self.senders[way], applying))
        elsewhere = sum(await asyncio.gather(*(work() for work in works)))
        taken = time.perf_counter() - began
        applying.set()
        published = await sending
        assert published == (0 if way == NO_OUTCOMES else len(records)), published
        _, python_after, postgres_after = self._clocks()
        cost = (python_after - python + elsewhere, postgres_after - postgres)
        return Cost(len(records) / taken, *(each / len(records) * 1e6 for each in cost))

    def _numbers(self, count: int) -> range:
        first, self.next_number = self.next_number, self.next_number + count
        return range(first, self.next_number)

    def _clocks(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), self.database.cpu_seconds()


async def _apply(applier: Applier, records: Sequence[Record]) -> float:
    """Apply records in plain batches, with no CPU in other processes."""
    begin = dict.fromkeys({each.partition for each in records}, 0)
    fences = dict(await applier.fences(begin))
    for first in range(0, len(records), BATCH):
        arrived = [applier.decode(each) for each in records[first : first + BATCH]]
        decoded = [each for each in arrived if isinstance(each, Decoded)]
        wanted = {each.record.partition for each in decoded}
        done = await applier.apply(decoded, {each: fences[each] for each in wanted})
        assert done.plain
        fences |= done.fences
    return 0


class OtherProcess:
    """Another process of this program, which applies the second half of a turn."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk to it through its standard input and output."""
        self._process = process

    async def prepared(self, numbers: range) -> Work:
        """Let it make its records; return the function that applies them."""
        await self._asked(f"{numbers.start} {numbers.stop}")
        return partial(self._asked, "apply")

    async def _asked(self, line: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n".encode())
        return float(await self._process.stdout.readline())


@asynccontextmanager
async def _other_process(url: str, prefix: str) -> AsyncIterator[OtherProcess]:
    command = [sys.executable, "-m", "tests.benchmarks.ledger_gains", "--half", url, prefix]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    try:
        yield OtherProcess(process)
    finally:
        process.kill()
        await process.wait()


async def _half(url: str, prefix: str) -> None:
    """Apply the second halves of the turns that standard input names."""
    applier, engine = _applier(_settings(connection_to(), url, prefix))
    keep_loaded()
    try:
        for line in sys.stdin:
            numbers = range(*map(int, line.split()))
            records = _lanes([paying(number, number) for number in numbers])[1]
            print(0, flush=True)  # noqa: T201
            sys.stdin.readline()
            before = time.process_time()
            await _apply(applier, records)
            print(time.process_time() - before, flush=True)  # noqa: T201
    finally:
        await engine.dispose()


def _lanes(records: Sequence[Record]) -> Sequence[Sequence[Record]]:
    return [[each for each in records if each.partition.number % 2 == lane] for lane in (0, 1)]


async def _sent(send: Send, applying: asyncio.Event) -> int:
    """Send what is in the outbox until all is applied and sent; return how many records."""
    total = 0
    while True:
        last = applying.is_set()
        sent = await send()
        total += sent
        if not sent:
            if last:
                return total
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await applying.wait()


async def _nothing() -> int:
    return 0


def main() -> None:
    """Measure and print."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ledger_gains")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--half", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.half:
        asyncio.run(_half(*asked.half))
        return
    with brokers.started(brokers.choose(Wishes.take())) as broker, started_database() as database:
        found = asyncio.run(_measured(broker.bootstrap, database, asked.rounds))
    Console().print(machine(), _table(found))


def _table(found: Mapping[str, Sequence[Cost]]) -> Table:
    table = Table("way", "events a second", "Python µs", "PostgreSQL µs", "CPU, first = 1")
    for way, costs in found.items():
        columns = zip(*((each.a_second, each.python, each.postgres) for each in costs), strict=True)
        figures = (Figure.of(each).text() for each in columns)
        table.add_row(way, *figures, f"{_whole(found[AS_IT_IS]) / _whole(costs):.2f}")
    return table


def _whole(costs: Sequence[Cost]) -> float:
    return median(each.python + each.postgres for each in costs)


async def _measured(
    bootstrap: str, database: Database, rounds: int
) -> Mapping[str, Sequence[Cost]]:
    async with _opened(bootstrap, database) as bench:
        keep_loaded()
        for number in range(rounds + 1):
            # The order turns, so that none is always the first; the first round warms up.
            for way in WAYS[:: -1 if number % 2 else 1]:
                publisher = _PUBLISHERS.get(way, publish_plainly)
                with mock.patch.object(handling, "publish_plainly", publisher):
                    cost = await bench.turn(way)
                if number:
                    bench.found[way].append(cost)
            if not number:
                # Plans that were made for empty tables read them whole, which counts for all ways.
                async with connected(database.url) as connection:
                    await connection.execute("ANALYZE")
    return bench.found


_PUBLISHERS: Final = {PACKED: publish_packed, NO_OUTCOMES: publish_nothing}


@asynccontextmanager
async def _opened(bootstrap: str, database: Database) -> AsyncIterator[_Bench]:
    prefix = f"g{uuid.uuid4().hex[:6]}."
    settings = _settings(connection_to(bootstrap), database.url, prefix)
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, SERVICE)
    await upgrading.dispose()
    outcomes = settings.topics.name("ledger.outcome")
    await brokers.create_topics(bootstrap, [outcomes], partitions=_OUTCOMES)
    applier, engine = _applier(settings)
    await applier.fences(dict.fromkeys(PARTITIONS["payment"], 0))
    make = partial(relay_producer, settings.kafka)
    relay = Relay(StoredBooks(engine, SERVICE, "benchmark"), make, 10)
    try:
        async with (
            connected(database.url) as connection,
            make() as producer,
            _other_process(database.url, prefix) as other,
        ):
            await eventually(partial(producer.partitions_for, outcomes), "the topic of outcomes")
            packed = PackedRelay(connection, producer).send_waiting
            senders = {**dict.fromkeys(WAYS, relay.send_waiting), PACKED: packed}
            yield _Bench(database, applier, {**senders, NO_OUTCOMES: _nothing}, other)
    finally:
        await relay.stop()
        await engine.dispose()


def _settings(kafka: KafkaConnection, url: str, prefix: str) -> ConsumerSettings:
    tuning = Tuning.model_validate({})
    return ConsumerSettings("ledger", kafka, SecretStr(url), Topics(prefix), tuning)


def _applier(settings: ConsumerSettings) -> tuple[Applier, AsyncEngine]:
    actions = SERVICE.actions(Setup(SERVICE.options(), settings.topics))
    assert actions.plain is not None
    engine = open_engine(settings)
    books = StoredBooks(engine, SERVICE, "benchmark")
    plain = PlainBatches(books, actions.plain)
    return Applier(books, SERVICE, actions.handle, shorter=plain), engine


if __name__ == "__main__":
    main()
