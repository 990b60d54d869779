"""A guarded FastStream service in the process of the test, on a real Kafka."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.exactly_once import ExactlyOnce, Session
from consumers.exactly_once.timing import Timing
from router.contract.event import Event, event_id
from router.contract.wire import encode_event
from tests.parts.contract.events import event
from tests.parts.waiting import eventually

ADD = text("INSERT INTO effect (event_id) VALUES (:event_id)")
GROUP = "loyalty"

HURRIED = Timing(first_retry_seconds=0.05, longest_retry_seconds=0.2, check_seconds=0.1)


def numbered(number: int) -> Event:
    """Return the event of a number."""
    return event(id=event_id("blockatm", "shop-eu", str(number)), reference=f"A-{number}")


async def add(found: Event, session: Session) -> None:
    """Add an effect."""
    await session.execute(ADD, {"event_id": found.id})


@dataclass
class Living:
    """A topic, a database, and the services on them."""

    bootstrap: str
    topic: str
    engine: AsyncEngine
    producer: AIOKafkaProducer
    guards: list[ExactlyOnce] = field(default_factory=list)

    @property
    def group(self) -> str:
        """The consumer group of the services."""
        return f"{self.topic}.{GROUP}"

    async def send(self, numbers: Sequence[int], partition: int = 0, **options: Any) -> None:  # noqa: ANN401 - aiokafka's
        """Publish events to a partition."""
        for number in numbers:
            out = encode_event(numbered(number), self.topic, "trace")
            headers = options.get("headers", list(out.headers))
            value = options.get("value", out.value)
            await self.producer.send_and_wait(
                self.topic, value, out.key, partition=partition, headers=headers
            )

    @contextlib.asynccontextmanager
    async def service(
        self,
        handler: Callable[..., Any] = add,
        broker: KafkaBroker | None = None,
        **options: Any,  # noqa: ANN401
    ) -> AsyncIterator[ExactlyOnce]:
        """Run a service until the block ends."""
        broker = broker or KafkaBroker(self.bootstrap, logger=None, graceful_timeout=1)
        guard = ExactlyOnce(broker, self.engine, timing=HURRIED)
        guard.subscriber(self.topic, group_id=self.group, **options)(handler)
        await broker.start()
        try:
            yield guard
        finally:
            await broker.stop()

    async def effects(self) -> list[UUID]:
        """Return the ids of the events that had an effect, in order."""
        query = text("SELECT event_id FROM effect ORDER BY id")
        async with self.engine.connect() as connection:
            return list(await connection.scalars(query))

    async def applied(self, numbers: Sequence[int]) -> None:
        """Wait for the effects of these events, each once and in this order."""
        wanted = [numbered(number).id for number in numbers]

        async def there() -> bool:
            return len(await self.effects()) >= len(wanted)

        await eventually(there, f"{len(wanted)} effects")
        assert await self.effects() == wanted

    async def move_fence(self, to: int) -> None:
        """Give up the records of partition 0 below an offset, as the docs describe."""
        moving = text(
            "UPDATE payrouter_fence SET next_offset = :to, gaps = gaps + (:to - next_offset)"
            " WHERE topic = :topic AND partition = 0"
        )
        async with self.engine.begin() as connection:
            await connection.execute(moving, {"to": to, "topic": self.topic})

    async def blocked(self, guard: ExactlyOnce, problem: str) -> None:
        """Wait until a partition is blocked by a problem with this text."""

        def there() -> bool:
            return any(problem in each for each in guard.problems.values())

        await eventually(there, problem)


@contextlib.asynccontextmanager
async def living(bootstrap: str, topic: str, database_url: str) -> AsyncIterator[Living]:
    """Yield a topic and a database with the guard's tables and a table of effects."""
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE effect (id bigserial, event_id uuid)"))
        await ExactlyOnce(KafkaBroker(bootstrap), engine).create_tables()
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            yield Living(bootstrap, topic, engine, producer)
    finally:
        await engine.dispose()
