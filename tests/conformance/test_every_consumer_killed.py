"""Every consumer's process is killed during work, and its topics are read again from the start."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.conformance.bench import TOLD, Bench, bench
from tests.conformance.programs import PATIENCE_SECONDS, Programs
from tests.conformance.test_every_consumer import GARBAGE, SERVICES
from tests.parts.brokers import Broker
from tests.parts.troubles.shell import Shell, shell
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

CONFIG = """
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
prefix = "{prefix}"
partitions = 3
replication_factor = 1
min_insync_replicas = 1
[database]
url = "{database}"
[consumers.{name}]
group_id = "{prefix}{name}"
management_port = 0
batch_records = 10
session_timeout_seconds = 6
transaction_timeout_seconds = 5
brake_after = 10000
"""


@dataclass(frozen=True)
class Stage:
    """A consumer's programs, its database, and the topics it reads."""

    name: str
    programs: Programs
    shell: Shell
    bench: Bench
    broker: Broker
    prefix: str

    async def fill(self, random: Random) -> int:
        """Publish all histories with duplicates and garbage; return the number of records."""
        outs = [
            (f"{self.prefix}{topic}", out.key, out.value, list(out.headers))
            for topic in self.bench.topics
            for out in TOLD[topic]
        ]
        again = [each for each in outs if random.random() < 0.3]
        nothing: list[tuple[str, bytes]] = []
        garbage = [(topic, b"garbage", value, nothing) for topic, *_ in outs for value in GARBAGE]
        mixed = [*outs, *again, *random.sample(garbage, 10)]
        random.shuffle(mixed)
        producer = AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all")
        await producer.start()
        try:
            for topic, key, value, headers in mixed:
                await producer.send(topic, value, key, headers=headers)
        finally:
            await producer.stop()
        return len(mixed)

    async def passed(self, records: int) -> None:
        """Wait until this many records are passed."""

        async def passed() -> bool:
            return await self._passed() >= records

        await eventually(passed, f"{records} records", seconds=PATIENCE_SECONDS)

    async def _passed(self) -> int:
        fence = self.bench.tables.fence
        async with self.bench.engine.connect() as connection:
            return int(await connection.scalar(select(func.sum(fence.c.next_offset))) or 0)

    async def at_rest(self) -> None:
        """Wait until its own measures show no pending background work."""
        pending = [m for m in self.bench.service.measures if m.name.endswith("_pending")]
        async with asyncio.timeout(PATIENCE_SECONDS), self.bench.engine.connect() as connection:
            while any([await each.read(connection) for each in pending]):
                await connection.rollback()
                await asyncio.sleep(0.1)

    async def dead(self) -> int:
        """Count the dead records."""
        held = self.bench.tables.held
        query = select(func.count()).where(held.c.state == "dead")
        async with self.bench.engine.connect() as connection:
            return int(await connection.scalar(query) or 0)


@pytest.fixture(params=sorted(SERVICES))
async def stage(
    request: pytest.FixtureRequest,
    broker: Broker,
    database_url: str,
    topics_prefix: str,
    programs: Programs,
) -> AsyncIterator[Stage]:
    """Yield a consumer with its topics and an empty database, configured but not running."""
    name = request.param
    programs.configure(
        CONFIG.format(
            bootstrap=broker.bootstrap, prefix=topics_prefix, database=database_url, name=name
        )
    )
    engine: AsyncEngine = create_async_engine(database_url)
    try:
        async with shell(programs.folder, programs.environment()) as commands:
            await commands.run("payrouter topics apply")
            await commands.run("payrouter db upgrade")
            own = bench(engine, SERVICES[name], topics_prefix)
            yield Stage(name, programs, commands, own, broker, topics_prefix)
    finally:
        await engine.dispose()


async def test_every_effect_happens_once_despite_kills_and_rereading(stage: Stage) -> None:
    records = await stage.fill(Random(3))
    async with stage.programs.consumer(stage.name) as first:
        await stage.passed(records // 4)
        first.send_signal(signal.SIGKILL)
    async with stage.programs.consumer(stage.name):
        await stage.passed(records)
        assert await stage.dead() == 10
        await stage.at_rest()
    before = await stage.bench.content()
    for topic in stage.bench.topics:
        name = f"{stage.prefix}{topic}"
        reset = f"payrouter offsets reset {stage.name} --topic {name} --to earliest --yes"
        await stage.shell.run(reset)
    async with stage.programs.consumer(stage.name):
        await stage.passed(records)
        said = await stage.shell.run(f"payrouter offsets show {stage.name} --json")
        shown = json.loads(said.out)
    assert await stage.bench.content() == before
    assert await stage.dead() == 10
    again = _sum(shown[stage.name], "duplicate") + _sum(shown[stage.name], "dead_lettered")
    assert again == records


def _sum(rows: Sequence[dict[str, int]], column: str) -> int:
    return sum(row[column] for row in rows)
