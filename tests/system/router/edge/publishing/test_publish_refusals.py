"""On a real Kafka, a refused record affects no other delivery, and readiness is correct."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from router.broker import producers
from router.broker.connection import KafkaConnection
from router.broker.rights import KafkaOperation, Right, on_topic
from router.broker.topics.record_size import batch_bytes
from router.configuration.settings import settings_from
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.producer_line import ProducerTiming
from router.edge.publishing.publish import (
    KafkaPublisher,
    PublishTiming,
    probe_of,
    producer_factory,
)
from router.edge.publishing.record_room import RecordRoom
from router.edge.refused.keeper import RefusedKeeper, sample_producer_factory
from router.errors import NotDurable
from router.telemetry.logs import get_log
from tests.parts.brokers import EVALUATION_PARTITIONS, create_topics
from tests.parts.connections import connection_to
from tests.parts.kafka.guarded import AUTHORIZED, Guarded
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

PASSWORD = "publish-hidden-0123456789"
LIMIT = 20_000
NEIGHBOURS = 210


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """Run a broker with access control lists."""
    broker = Guarded("PLAIN", AUTHORIZED)
    try:
        broker.start(PASSWORD)
        yield broker
    finally:
        broker.node.destroy()


class Edge:
    """A publisher of two topics, and their records."""

    def __init__(self, guarded: Guarded, prefix: str, password: Path) -> None:
        """Name the topics; `running` creates them."""
        self.guarded = guarded
        self.payment, self.payout = f"{prefix}payment", f"{prefix}payout"
        self._prefix, self._password = prefix, password
        self.registry = CollectorRegistry()

    def _writing(self, topic: str) -> Right:
        return on_topic("User:edge", KafkaOperation.WRITE, topic, "to publish events")

    @contextlib.asynccontextmanager
    async def running(self, timing: PublishTiming | None = None) -> AsyncIterator[KafkaPublisher]:
        """Run the publisher, signed in as a user whose rights can be revoked."""
        topics = [self.payment, self.payout]
        await create_topics(
            self.guarded.node.bootstrap, topics, configs={"max.message.bytes": str(LIMIT)}
        )
        values = {
            "bootstrap_servers": self.guarded.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "edge",
            "sasl_password_file": str(self._password),
        }
        kafka = KafkaConnection.of(settings_from({"kafka": values}).kafka)
        publisher = KafkaPublisher(
            producer_factory(kafka, 1024 * 1024),
            probe_of(topics, lambda _topic: None, [self._writing(topic) for topic in topics]),
            RecordRoom(1024 * 1024),
            EdgeMetrics(self.registry, topics=Topics(self._prefix)),
            get_log("publish"),
            timing,
        )
        async with publisher.running():
            await eventually(lambda: publisher.health().good)
            yield publisher

    async def on(self, topic: str) -> Counter[bytes]:
        """Count each value on a topic."""
        partitions = [TopicPartition(topic, n) for n in range(EVALUATION_PARTITIONS)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.guarded.node.bootstrap)
        await consumer.start()
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends, found = await consumer.end_offsets(partitions), Counter[bytes]()
            for partition in partitions:
                while await consumer.position(partition) < ends[partition]:
                    found[(await consumer.getone(partition)).value] += 1
        finally:
            await consumer.stop()
        return found

    def rebuilds(self) -> float | None:
        """Return the number of replaced producers."""
        return self.registry.get_sample_value("payrouter_producer_rebuilds_total")


@pytest.fixture
def edge(guarded: Guarded, topics_prefix: str, tmp_path: Path) -> Edge:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    return Edge(guarded, topics_prefix, file)


def record(topic: str, value: bytes, key: int = 0) -> OutgoingRecord:
    return OutgoingRecord(topic, b"order-%d" % key, value, [("ce_type", b"x")])


async def published(publish: KafkaPublisher, each: OutgoingRecord) -> str:
    """Publish within the deadline of a gateway; return the result."""
    try:
        async with asyncio.timeout(20):
            await publish([each])
    except (NotDurable, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    return "kept"


async def all_published(
    publish: KafkaPublisher, records: Sequence[OutgoingRecord]
) -> Sequence[str]:
    tasks = []
    for each in records:
        tasks.append(asyncio.create_task(published(publish, each)))
        # Small batches: some of them follow the one that is refused.
        await asyncio.sleep(0.001)
    return await asyncio.gather(*tasks)


def among_neighbours(edge: Edge) -> list[OutgoingRecord]:
    """Return many small records of the same partitions, and a too large one among them."""
    small = [record(edge.payment, b"%d" % n, n % 40) for n in range(NEIGHBOURS)]
    return [*small[:60], record(edge.payment, b"x" * LIMIT), *small[60:]]


async def test_oversized_record_affects_no_other_record(edge: Edge) -> None:
    async with edge.running() as publish:
        results = Counter(await all_published(publish, among_neighbours(edge)))
        health = publish.health()

    refused = f"RecordRefused: not_durable: topic {edge.payment}: MessageSizeTooLargeError"
    assert results == {"kept": NEIGHBOURS, refused: 1}
    assert await edge.on(edge.payment) == Counter(b"%d" % n for n in range(NEIGHBOURS))
    assert health.good
    # The sequence has no gap: the same producer continues.
    assert edge.rebuilds() == 0


async def test_records_after_a_sequence_gap_are_sent_by_the_next_producer(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producers, "is_refusal", lambda _error: False)
    async with edge.running() as publish:
        results = Counter(await all_published(publish, among_neighbours(edge)))
        await eventually(lambda: publish.health().good)

    assert results["kept"] == NEIGHBOURS
    assert (await edge.on(edge.payment)).keys() == {b"%d" % n for n in range(NEIGHBOURS)}
    assert edge.rebuilds() != 0


async def test_record_at_the_topics_size_limit_is_accepted_and_one_byte_more_is_not(
    edge: Edge,
) -> None:
    fitting = record(edge.payment, b"")
    room = LIMIT - batch_bytes(fitting.key, b"x" * LIMIT, fitting.headers) + LIMIT
    async with edge.running() as publish:
        fits = await published(publish, record(edge.payment, b"x" * room))
        larger = await published(publish, record(edge.payment, b"x" * (room + 1)))

    assert fits == "kept"
    assert "MessageSizeTooLargeError" in larger


async def test_oversized_sample_affects_no_other_sample(edge: Edge) -> None:
    counted: list[str] = []
    async with edge.running():
        make = sample_producer_factory(
            connection_to(edge.guarded.node.bootstrap), edge.payment, 1024 * 1024
        )
        keeper = RefusedKeeper(
            make, edge.payment, lambda _: True, 1024, counted.append, get_log("refused"), 600
        )
        keeper.queue.extend([record(edge.payment, b"x" * LIMIT), record(edge.payment, b"next")])
        keeper._filled.set()  # noqa: SLF001 - as `keep` does, whose samples are never so large
        async with keeper.running():
            await eventually(lambda: len(counted) == 2)

    assert counted == ["failed", "kept"]


async def test_edge_recovers_without_traffic_after_a_deadline(
    edge: Edge,
) -> None:
    async with edge.running() as publish:
        # The producer retries the records that it holds, but not those it has not accepted.
        assert await published(publish, record(edge.payment, b"first")) == "kept"
        edge.guarded.node.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await publish([record(edge.payment, b"late")])
        await eventually(lambda: not publish.health().good)
        edge.guarded.node.resume()
        await eventually(lambda: publish.health().good)

    assert (await edge.on(edge.payment)).keys() == {b"first", b"late"}


def senders() -> int:
    """Return the number of producers of this process that are sending."""
    tasks = (str(task.get_coro()) for task in asyncio.all_tasks())
    return sum("Sender._sender_routine" in each for each in tasks)


async def test_replaced_producer_stops_even_if_the_broker_never_answers(
    edge: Edge,
) -> None:
    quick = PublishTiming(silence_seconds=0.5, producer=ProducerTiming(stop_seconds=0.5))
    async with edge.running(quick) as kept:
        assert await published(kept, record(edge.payment, b"first")) == "kept"
        edge.guarded.node.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await kept([record(edge.payment, b"late")])
        await eventually(lambda: edge.rebuilds() != 0)
        await eventually(lambda: senders() == 0)
        edge.guarded.node.resume()
        await eventually(lambda: kept.health().good)

        assert senders() == 1
        assert await published(kept, record(edge.payment, b"after")) == "kept"
    assert senders() == 0


async def test_missing_write_right_affects_only_its_topic_and_readiness(
    edge: Edge,
) -> None:
    async with edge.running() as publish:
        await asyncio.to_thread(edge.guarded.deny_write, edge.payout)
        # Without traffic: the probe finds it.
        await eventually(lambda: not publish.health().good)
        unprompted = publish.health().detail
        mixed = [
            record(topic, b"%d" % n, n % 40)
            for n in range(NEIGHBOURS // 2)
            for topic in (edge.payment, edge.payout)
        ]
        results = Counter(await all_published(publish, mixed))
        refused = publish.health()
        await asyncio.to_thread(edge.guarded.allow_write, edge.payout)
        await eventually(lambda: publish.health().good)
        rest = Counter(await all_published(publish, mixed[:20]))

    denied = f"RecordRefused: not_durable: topic {edge.payout}: TopicAuthorizationFailedError"
    assert f"User:edge may not WRITE topic `{edge.payout}`; grant: " in unprompted
    assert results == {"kept": NEIGHBOURS // 2, denied: NEIGHBOURS // 2}
    assert not refused.good
    assert rest == {"kept": 20}
    assert edge.rebuilds() == 0
