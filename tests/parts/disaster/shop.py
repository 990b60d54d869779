"""A shop on real Kafka and PostgreSQL: what it sells, and the books that have to follow."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.inventory.setting import set_stock
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.runtime.store.migrate import upgrade
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord, encode_event, encode_order
from tests.parts.brokers import Broker, create_topics
from tests.parts.contract.events import event
from tests.parts.contract.orders import order
from tests.parts.e2e.books import Running, running
from tests.parts.e2e.findings import books, stock
from tests.parts.notifications.receivers import Hook
from tests.parts.waiting import eventually

ACCOUNT = "shop-eu"
PRICE = Decimal(30)
STOCK = 1000
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SERVICES = (LEDGER, INVENTORY, NOTIFICATIONS)


@dataclass
class Shop:
    """Orders of two teas for 30 USDT, each paid once; every payment is reported twice."""

    prefix: str
    hook: Hook
    paid: int = 0
    topics: Topics = field(init=False)

    def __post_init__(self) -> None:
        """Derive the names of the topics."""
        self.topics = Topics(self.prefix)

    @property
    def read(self) -> Sequence[str]:
        """Every topic that a consumer reads or writes."""
        outcomes = [self.topics.outcome(service.name) for service in SERVICES]
        return [*self.topics.events, self.topics.order, *outcomes]

    async def open(self, bootstrap: str) -> None:
        """Create the topics on a cluster."""
        await create_topics(bootstrap, list(self.read))

    async def sell(self, bootstrap: str, number: int) -> None:
        """Send so many further orders and their payments."""
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        try:
            for each in range(self.paid, self.paid + number):
                for record in self._records(each):
                    await producer.send_and_wait(
                        record.topic, record.value, record.key, headers=list(record.headers)
                    )
        finally:
            await producer.stop()
        self.paid += number

    def _records(self, number: int) -> Sequence[OutgoingRecord]:
        name, now = f"A-{number}", datetime.now(UTC)
        placed = order(id=_id("order", number), reference=name)
        told = event(
            id=_id("payment", number),
            reference=name,
            provider_reference=f"P-{number}",
            amount=str(PRICE),
            network="Ethereum",
            received_at=now,
        )
        payment = encode_event(told, self.topics.name("payment"), TRACE)
        return encode_order(placed, self.topics.order), payment, payment

    @contextlib.asynccontextmanager
    async def consumers(self, broker: Broker, url: str) -> AsyncIterator[dict[str, Running]]:
        """Run the three consumers during the block."""
        rule = {"on": ["payment.confirmed"], "to": "on-call", "channels": ["hook"]}
        messages: dict[str, Any] = {
            "rules": [rule],
            "channels": {"hook": {"url": self.hook.url}},
            "operators": {"on-call": {}},
        }
        async with contextlib.AsyncExitStack() as stack:
            run = stack.enter_async_context
            yield {
                "ledger": await run(running(LEDGER, broker, url, self.prefix)),
                "inventory": await run(running(INVENTORY, broker, url, self.prefix)),
                "notifications": await run(
                    running(NOTIFICATIONS, broker, url, self.prefix, **messages)
                ),
            }

    async def settled(self, url: str) -> None:
        """Wait until all orders are paid and sold, and all messages are sent."""

        async def true() -> bool:
            return await self.state(url) == self.exact

        try:
            await eventually(true, "exact books")
        except AssertionError:
            assert await self.state(url) == self.exact
            raise

    async def told(self) -> None:
        """Wait until each payment was notified; assert that none was notified twice."""
        await eventually(lambda: len(set(self.hook.keys)) >= self.paid, "all messages")
        assert len(self.hook.keys) == len(set(self.hook.keys)) == self.paid

    @property
    def exact(self) -> Sequence[str]:
        """What is true once every order is paid."""
        money, sold = self.paid * PRICE, 2 * self.paid
        free = STOCK - sold
        return [
            f"payments {-money} USDT",
            f"wallet:Ethereum {money} USDT",
            f"tea {free} of {STOCK} free + {sold} sold",
        ]

    async def state(self, url: str) -> Sequence[str]:
        """Read books and stock."""
        async with connected(url) as connection:
            money = sorted(await books(connection, ACCOUNT))
            return [*money, *(await stock(connection, ACCOUNT))]


def _id(what: str, number: int) -> object:
    return uuid5(NAMESPACE_URL, f"{what} {number}")


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection in a transaction."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


async def furnished(url: str) -> None:
    """Create the tables, and stock."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        for service in SERVICES:
            await upgrade(engine, service)
        async with engine.begin() as transaction:
            await set_stock(transaction, ACCOUNT, "tea", STOCK, "unused")
    finally:
        await engine.dispose()


async def ends_of(bootstrap: str, topic: str) -> dict[int, int]:
    """Return where the partitions of a topic end."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        await consumer.topics()
        wanted = [TopicPartition(topic, number) for number in range(4)]
        return {each.partition: end for each, end in (await consumer.end_offsets(wanted)).items()}
    finally:
        await consumer.stop()
