"""A consumer process waits for unreachable services and ends when it is stopped."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.discovery import topics_of
from consumers.ledger.reading.statement import read_books
from consumers.ledger.service import SERVICE
from consumers.runtime.store.migrate import upgrade
from router.contract.topics import Topics
from tests.parts.brokers import Broker, create_topics
from tests.parts.edge.edge_server import FOR_EVER
from tests.parts.ports import free_port
from tests.parts.runtime.counting import numbered, written
from tests.parts.runtime.members import ROOM
from tests.parts.runtime.running import Running, running
from tests.parts.waiting import eventually

NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True)
class Surroundings:
    """Environment in which a consumer is started."""

    directory: Path
    url: str
    bootstrap: str
    prefix: str

    @contextlib.asynccontextmanager
    async def consumer(self) -> AsyncIterator[Running]:
        """Start `payrouter consume ledger`, and end it with the block."""
        port = free_port()
        environment = {
            **os.environ,
            "PAYROUTER_DATABASE__URL": self.url,
            "PAYROUTER_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "PAYROUTER_TOPICS__PREFIX": self.prefix,
            "PAYROUTER_TOPICS__REPLICATION_FACTOR": "1",
            "PAYROUTER_TOPICS__MIN_INSYNC_REPLICAS": "1",
            "PAYROUTER_CONSUMERS__LEDGER__GROUP_ID": f"{self.prefix}ledger",
            "PAYROUTER_CONSUMERS__LEDGER__MANAGEMENT_PORT": str(port),
            "PAYROUTER_CONSUMERS__LEDGER__SESSION_TIMEOUT_SECONDS": "6",
            "PAYROUTER_CONSUMERS__LEDGER__TRANSACTION_TIMEOUT_SECONDS": "5",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumers", "consume", "ledger"),
            cwd=self.directory,
            env=environment,
            stderr=PIPE,
        )
        async with running(process, port) as consumer:
            yield consumer


@pytest.fixture
def nowhere(tmp_path: Path, database_url: str) -> Surroundings:
    """Return an environment without a broker, on an empty database."""
    return Surroundings(tmp_path, database_url, NOWHERE, "")


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty ledger."""
    engine = create_async_engine(database_url)
    try:
        await upgrade(engine, SERVICE)
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def here(
    broker: Broker, tmp_path: Path, ledger: AsyncEngine, topics_prefix: str
) -> Surroundings:
    """Yield a complete environment: topics, tables, broker."""
    topics = topics_of(SERVICE, Topics(topics_prefix))
    await create_topics(broker.bootstrap, [*topics], configs=ROOM | FOR_EVER)
    url = ledger.url.render_as_string(hide_password=False)
    return Surroundings(tmp_path, url, broker.bootstrap, topics_prefix)


async def publish(here: Surroundings, numbers: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=here.bootstrap, acks="all")
    await producer.start()
    try:
        for number in numbers:
            out = written(numbered(number, provider_reference=f"P-{number}"))
            topic = f"{here.prefix}payment"
            await producer.send_and_wait(topic, out.value, out.key, headers=list(out.headers))
    finally:
        await producer.stop()


async def booked(ledger: AsyncEngine, number: int) -> None:
    async def there() -> bool:
        async with ledger.connect() as connection:
            return (await read_books(connection)).transactions >= number

    await eventually(there, f"{number} transactions")


async def test_consumer_answers_probes_books_events_and_ends_cleanly(
    here: Surroundings, ledger: AsyncEngine
) -> None:
    await publish(here, range(10))
    async with here.consumer() as consumer:
        await consumer.says(200, "8 partitions assigned and moving")
        await consumer.says(200, "last turn", "/healthz")
        await booked(ledger, 10)
        await consumer.says(200, 'payrouter_consumer_ready{consumer="ledger"} 1.0', "/metrics")
        applied = f'topic="{here.prefix}payment"'
        await consumer.says(200, applied, "/metrics")
        assert await consumer.measures("payrouter_event_loop_delay_seconds_count") > [0]
        assert await consumer.stop() == 0
    assert consumer.logged()[-1] == "consumer_stopped"
    assert {"partitions_assigned", "consumer_started", "batch"} <= set(consumer.logged())


async def test_consumer_stopped_under_load_continues_at_its_next_start(
    here: Surroundings, ledger: AsyncEngine
) -> None:
    async with here.consumer() as consumer:
        await consumer.says(200, "assigned and moving")
        publishing = asyncio.create_task(publish(here, range(300)))
        await booked(ledger, 20)
        assert await consumer.stop() == 0
    await publishing
    async with here.consumer() as consumer:
        # The first may have booked everything; if stopped before it has begun, it just ends.
        await consumer.says(200, "assigned and moving")
        await booked(ledger, 300)
        assert await consumer.stop() == 0
    async with ledger.connect() as connection:
        assert (await read_books(connection)).transactions == 300


async def test_old_schema_ends_the_process_at_once_with_one_line(nowhere: Surroundings) -> None:
    async with nowhere.consumer() as consumer:
        assert await consumer.ended() == 1
    assert len(consumer.lines) == 1
    assert "'ledger' is older than this version" in consumer.lines[0]
    assert "run `payrouter db upgrade`" in consumer.lines[0]


async def test_consumer_waits_for_an_unreachable_database_at_the_start(
    here: Surroundings, ledger: AsyncEngine
) -> None:
    name = ledger.url.database
    await ledger.dispose()
    server = create_async_engine(ledger.url.set(database="postgres"))
    async with server.connect() as admin:
        await admin.execution_options(isolation_level="AUTOCOMMIT")
        await admin.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        async with here.consumer() as consumer:
            await consumer.says(503, "cannot reach the database")
            await consumer.says(200, "cannot reach the database", "/healthz")
            await admin.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
            await consumer.says(200, "assigned and moving")
            assert await consumer.stop() == 0
    await server.dispose()
    assert "database_unreachable" in consumer.logged()


async def test_consumer_waits_for_an_unreachable_broker_and_can_be_stopped(
    nowhere: Surroundings, ledger: AsyncEngine
) -> None:
    assert str(ledger.url.database) in nowhere.url
    async with nowhere.consumer() as consumer:
        await consumer.says(503, "cannot consume from the broker")
        await consumer.says(200, "", "/healthz")
        assert await consumer.stop() == 0


async def test_stop_while_waiting_for_the_database_ends_the_process(
    nowhere: Surroundings,
) -> None:
    away = Surroundings(nowhere.directory, "postgresql://x@127.0.0.1:1/x", NOWHERE, "")
    async with away.consumer() as consumer:
        await consumer.says(503, "cannot reach the database: ConnectionRefusedError")
        assert await consumer.stop() == 0
