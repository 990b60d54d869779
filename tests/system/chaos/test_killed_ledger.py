"""A ledger consumer that is killed repeatedly ends with exactly the books of the sent events."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from random import Random

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.reading.statement import TrialBalance, read_books
from consumers.ledger.reading.verify import verify
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.offsets import FenceRow, read_fence_rows
from consumers.runtime.store.migrate import upgrade
from consumers.runtime.store.tables import RuntimeTables
from router.contract.wire import encode_event
from tests.parts.brokers import Broker, create_topics
from tests.parts.chaos.stream import Stream
from tests.parts.chaos.victim import Moment, Order
from tests.parts.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

MOMENTS: list[Moment] = ["before the commit", "after the commit", "somewhere"]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PATIENCE_SECONDS = 120.0
AHEAD = 1000
"""Records that wait for the ledger at most: a slow machine must be able to catch up at the end."""


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty ledger."""
    engine = create_async_engine(database_url)
    try:
        await upgrade(engine, SERVICE)
        yield engine
    finally:
        await engine.dispose()


async def feed(
    broker: Broker, ledger: AsyncEngine, prefix: str, stream: Stream, enough: asyncio.Event
) -> None:
    """Publish the stream at a fixed rate until the event is set; stay close to the ledger."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=True
    )
    await producer.start()
    try:
        for told in stream.batches():
            for event in told:
                out = encode_event(event, f"{prefix}{event.type.family}", TRACE)
                await producer.send(out.topic, out.value, out.key, headers=list(out.headers))
            await producer.flush()
            await asyncio.sleep(0.05)

            async def near() -> bool:
                return enough.is_set() or stream.sent - await applied(ledger) <= AHEAD

            await eventually(near, "the ledger", seconds=PATIENCE_SECONDS)
            if enough.is_set():
                return
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def victim(order: Order) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a victim, which ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.parts.chaos.victim", order.model_dump_json()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def fences(ledger: AsyncEngine) -> list[FenceRow]:
    async with ledger.connect() as connection:
        return list(await read_fence_rows(connection, RuntimeTables.of("ledger")))


async def books(ledger: AsyncEngine) -> TrialBalance:
    async with ledger.connect() as connection:
        return await read_books(connection)


async def applied(ledger: AsyncEngine) -> int:
    """Return how many records are applied."""
    return sum(row.next_offset for row in await fences(ledger))


async def passed(ledger: AsyncEngine, records: int) -> None:
    """Wait until this many records are applied."""

    async def all_applied() -> bool:
        return await applied(ledger) >= records

    await eventually(all_applied, f"{records} records", seconds=PATIENCE_SECONDS, pause=0.1)


async def test_repeatedly_killed_ledger_books_everything_once(
    broker: Broker,
    ledger: AsyncEngine,
    topics_prefix: str,
    chaos_long: bool,  # noqa: FBT001 - a fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The short form kills twice at each moment.
    kills = 100 if chaos_long else 2 * len(MOMENTS)
    random = Random(20261122)
    stream, enough = Stream(random), asyncio.Event()
    names = [f"{topics_prefix}{name}" for name in ("payment", "payout", "ledger.outcome")]
    await create_topics(broker.bootstrap, names)
    url = ledger.url.render_as_string(hide_password=False)
    order = Order(
        bootstrap=broker.bootstrap, database_url=url, prefix=topics_prefix, moment="never"
    )
    started = time.monotonic()
    feeding = asyncio.create_task(feed(broker, ledger, topics_prefix, stream, enough))
    for number in range(kills):
        end = {
            "moment": MOMENTS[number % len(MOMENTS)],
            "batch": random.randint(1, 12),
            "seconds": random.uniform(0, 0.03),
        }
        async with victim(order.model_copy(update=end)) as process:
            killed = await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
            assert killed == -signal.SIGKILL
    enough.set()
    await feeding
    async with victim(order) as process:
        await passed(ledger, stream.sent)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0

    found, rows = await books(ledger), await fences(ledger)
    seen = sum(row.duplicate for row in rows)
    with capsys.disabled():
        seconds = time.monotonic() - started
        print(  # noqa: T201 - the result
            f"\n{kills} kills, {stream.sent} records of {len(stream.distinct)} events,"
            f" {seen} duplicates stopped, {found.transactions} transactions, {seconds:.0f} s"
        )
    assert {
        (each.account, each.currency): each.amount for each in found.named if each.amount
    } == stream.end()
    assert found.transactions == stream.transactions
    assert found.balanced
    async with ledger.connect() as connection:
        assert (await verify(connection)).faults == []
    assert seen == stream.sent - len(stream.distinct)
    assert sum(row.applied + row.stale for row in rows) == len(stream.distinct)
    assert sum(row.gaps for row in rows) == 0
