"""Members of a consumer group in the test's process, and topics to feed them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.member.app import ConsumerProcess, build_consumer, consume
from consumers.runtime.records import Partition
from consumers.runtime.service import Handler, Service
from consumers.runtime.settings import ConsumerSettings, ConsumerTiming, Tuning
from router.contract.event import Event
from router.contract.topics import Topics
from router.contract.wire import Headers
from tests.parts.brokers import Broker, create_topics
from tests.parts.connections import connection_to
from tests.parts.runtime.counting import (
    SERVICE,
    effects_of,
    fences_of,
    written,
)
from tests.parts.waiting import PATIENCE_SECONDS, eventually

ROOM = {"max.message.bytes": str(4 * 1024 * 1024)}


@dataclass
class Feed:
    """A topic of one test, its records, and the consumers that read it.

    Consumers other than the counting one may have further topics.
    """

    broker: Broker
    engine: AsyncEngine
    prefix: str
    producer: AIOKafkaProducer
    service: Service = SERVICE
    log: list[dict[str, object]] = field(default_factory=list)
    options: dict[str, object] = field(default_factory=dict)
    timing: ConsumerTiming = field(default_factory=ConsumerTiming)

    def hurry(self, **timing: float) -> None:
        """Change intervals and time-outs of the members that start from now on."""
        self.timing = replace(self.timing, **timing)

    @property
    def topic(self) -> str:
        """The name of the topic on the broker."""
        return f"{self.prefix}payment"

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.prefix}{self.service.name}"

    @property
    def dead_letters(self) -> str:
        """Name of the dead-letter topic."""
        return Topics(self.prefix).dead_letter(self.topic, self.service.name)

    def partition(self, number: int) -> Partition:
        """Return a partition of the topic."""
        return Partition(self.topic, number)

    async def send(self, events: Iterable[Event], partition: int = 0) -> None:
        """Send events to a partition, in order."""
        sent = []
        for event in events:
            out = written(event, self.topic)
            sent.append(
                await self.producer.send(self.topic, out.value, out.key, partition=partition)
            )
        await asyncio.gather(*sent)

    async def send_raw(
        self,
        value: bytes | None,
        partition: int = 0,
        headers: Headers = (),
        key: bytes | None = b"key",
    ) -> None:
        """Send any key, value and headers to a partition."""
        # The only way to send a record that has neither key nor value.
        batch = self.producer.create_batch()
        batch.append(key=key, value=value, timestamp=None, headers=list(headers))
        batch.close()
        await (await self.producer.send_batch(batch, self.topic, partition=partition))

    def settings(self, **tuning: object) -> ConsumerSettings:
        """Return the settings of a member, with changes."""
        url = self.engine.url.render_as_string(hide_password=False)
        usual = {
            "group_id": self.group,
            "session_timeout_seconds": 6,
            "transaction_timeout_seconds": 5,
            "retry_longest_seconds": 0.5,
            "beyond_end_seconds": 1,
            "park_seconds": 0.05,
            "park_longest_seconds": 0.5,
        }
        return ConsumerSettings(
            name=self.service.name,
            kafka=connection_to(
                self.broker.bootstrap, **{"metadata_max_age_ms": 1000, **self.options}
            ),
            database_url=SecretStr(url),
            topics=Topics(self.prefix),
            tuning=Tuning.model_validate({**usual, **tuning}),
            timing=self.timing,
            options=self.service.options(),
        )

    @contextlib.asynccontextmanager
    async def member(
        self, handle: Handler | None = None, **tuning: object
    ) -> AsyncIterator[ConsumerProcess]:
        """Run a consumer until the block ends; then let it finish its batch and leave."""
        handled = replace(self.service, handle=handle, configured=None) if handle else self.service
        process = build_consumer(handled, self.settings(**tuning), asyncio.Event())
        task = asyncio.create_task(consume(process))
        try:
            yield process
        finally:
            process.stopped.set()
            try:
                await asyncio.wait_for(task, PATIENCE_SECONDS)
            finally:
                await process.engine.dispose()

    async def applied(self, number: int) -> None:
        """Wait until there are so many effects."""

        async def there() -> bool:
            return len(await effects_of(self.engine)) >= number

        await eventually(there, f"{number} effects")

    async def fences(self) -> dict[int, Fence]:
        """Read the fences of the topic by partition number, of any cluster."""
        cluster = await self.cluster_id()
        fences = await fences_of(self.engine, cluster)
        return {p.number: fence for p, fence in fences.items() if p.topic == self.topic}

    async def cluster_id(self) -> str:
        """Return the id of the broker's cluster."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        try:
            await admin.start()
            return str((await admin.describe_cluster())["cluster_id"])
        finally:
            await admin.close()

    async def committed(self) -> dict[int, int]:
        """Return the committed offset of each partition of the group."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=self.group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            found = {n: await consumer.committed(TopicPartition(self.topic, n)) for n in range(4)}
        finally:
            await consumer.stop()
        return {number: offset for number, offset in found.items() if offset is not None}

    def logged(self, event: str) -> list[dict[str, object]]:
        """Return the log entries of one event."""
        return [line for line in self.log if line["event"] == event]


@contextlib.asynccontextmanager
async def feeding(
    broker: Broker, engine: AsyncEngine, prefix: str, service: Service = SERVICE
) -> AsyncIterator[Feed]:
    """Create a consumer's topics and a producer for them; capture what the consumers log."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, acks="all", max_request_size=4 * 1024 * 1024
    )
    feed = Feed(broker, engine, prefix, producer, service)
    topics = [f"{prefix}{family}" for family in service.topics]
    dead = [Topics(prefix).dead_letter(topic, service.name) for topic in topics]
    await create_topics(broker.bootstrap, [*topics, *dead], configs=ROOM)
    await producer.start()
    with capture_logs() as log:
        feed.log = log  # type: ignore[assignment] # lines are mappings that can be changed
        try:
            yield feed
        finally:
            await producer.stop()


async def ready(process: ConsumerProcess) -> None:
    """Wait until a member is ready: assigned and moving."""
    await eventually(lambda: process.ready().good, "readiness")


async def halted(process: ConsumerProcess, text: str) -> str:
    """Wait until a member is not ready, with this text in the detail; return the whole detail."""
    await eventually(lambda: text in process.ready().detail, text)
    assert not process.ready().good
    return process.ready().detail
