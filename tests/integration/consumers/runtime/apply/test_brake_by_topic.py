"""A writer changes the format of one topic: its consumers continue with their other topics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.runtime.apply.brake import clear_brakes
from consumers.runtime.apply.offsets import read_fence_rows
from consumers.runtime.member.app import ConsumerProcess, build_consumer, consume
from consumers.runtime.service import Service
from consumers.runtime.store.migrate import upgrade
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.brokers import Broker
from tests.parts.runtime.counting import numbered
from tests.parts.runtime.members import Feed, feeding, halted, ready
from tests.parts.waiting import PATIENCE_SECONDS, eventually

FRAMES, BRAKE_AFTER, PAYMENTS = 30, 20, 40


def registry_frame(number: int) -> bytes:
    """Encode an order as Confluent's Avro serializer does: magic byte, schema id, then binary."""
    reference = f"A-{number}".encode()
    return b"\0" + (7).to_bytes(4, "big") + bytes([2 * len(reference)]) + reference + b"\x02\x00"


@dataclass(frozen=True)
class Running:
    """A consumer in this process."""

    service: Service
    process: ConsumerProcess
    engine: AsyncEngine

    async def passed(self, topic: str) -> int:
        """Return the number of processed records of a topic."""
        async with self.engine.connect() as connection:
            rows = await read_fence_rows(connection, RuntimeTables.of(self.service.schema))
        return sum(row.next_offset - row.first_offset for row in rows if row.topic == topic)

    async def passes(self, topic: str, number: int) -> None:
        """Wait until so many records are processed."""

        async def so() -> bool:
            return await self.passed(topic) == number

        await eventually(so, f"{number} of {topic} in {self.service.name}")

    def brakes(self, held: str, off: str) -> bool:
        """Return whether the metric has the brake of one topic on and that of another off."""
        return (self.brake(held), self.brake(off)) == (1, 0)

    def brake(self, topic: str) -> float | None:
        """Read the metric of a brake."""
        labels = {"consumer": self.service.name, "topic": topic}
        return self.process.registry.get_sample_value("payrouter_brake_held", labels)


@contextlib.asynccontextmanager
async def running(feed: Feed, service: Service) -> AsyncIterator[Running]:
    """Run a consumer until the block ends."""
    settings = replace(
        feed.settings(brake_after=BRAKE_AFTER, group_id=f"{feed.prefix}{service.name}"),
        name=service.name,
        options=service.options(),
    )
    process = build_consumer(service, settings, asyncio.Event())
    task = asyncio.create_task(consume(process))
    try:
        yield Running(service, process, feed.engine)
    finally:
        process.stopped.set()
        try:
            await asyncio.wait_for(task, PATIENCE_SECONDS)
        finally:
            await process.engine.dispose()


@pytest.fixture
async def feed(broker: Broker, database_url: str, topics_prefix: str) -> AsyncIterator[Feed]:
    """Yield topics for both consumers, and a database with the tables of both."""
    engine = create_async_engine(database_url)
    try:
        for service in (INVENTORY, NOTIFICATIONS):
            await upgrade(engine, service)
        async with feeding(broker, engine, topics_prefix, NOTIFICATIONS) as feed:
            yield feed
    finally:
        await engine.dispose()


async def test_thirty_orders_in_avro_stop_orders_while_payments_are_applied(feed: Feed) -> None:
    orders, payments = f"{feed.prefix}order", feed.topic
    for number in range(FRAMES):
        await feed.producer.send_and_wait(
            orders, registry_frame(number), key=b"%d" % number, partition=0
        )
    await feed.send(map(numbered, range(PAYMENTS // 2)))
    async with running(feed, INVENTORY) as first, running(feed, NOTIFICATIONS) as second:
        for each in (first, second):
            said = await halted(each.process, f"the brake of {orders} has been on since")
            command = f"payrouter brake clear {each.service.name} --topic {orders}"
            assert f"`{command}` releases it" in said
        await feed.send(map(numbered, range(PAYMENTS // 2, PAYMENTS)), partition=1)
        for each in (first, second):
            await each.passes(payments, PAYMENTS)
            assert await each.passed(orders) == BRAKE_AFTER
            await eventually(partial(each.brakes, orders, payments), "the metric of both topics")
            async with feed.engine.begin() as transaction:
                tables = RuntimeTables.of(each.service.schema)
                assert list(await clear_brakes(transaction, tables, [orders])) == [orders]
            await each.passes(orders, FRAMES)
            await ready(each.process)
            assert each.brake(orders) == 0
    held = [line["topic"] for line in feed.logged("brake_holds")]
    assert held == [orders] * 2
    assert [line["topic"] for line in feed.logged("brake_cleared")] == [orders] * 2
