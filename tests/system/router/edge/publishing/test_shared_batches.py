"""On a real Kafka, records share batches: order, refused records, lost and frozen brokers."""

import asyncio
import contextlib
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from prometheus_client import CollectorRegistry

from router.broker.partitioner import partition_of
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
from router.telemetry.logs import get_log
from tests.parts.brokers import Broker, create_topics
from tests.parts.connections import connection_to
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

PARTITIONS = 4
LIMIT = 20_000
KEYS = [b"order-%d" % number for number in range(12)]
DEADLINE_SECONDS = 1.0


class Submissions:
    """Records submitted to a publisher, and the results of each."""

    def __init__(self, publisher: KafkaPublisher, topic: str) -> None:
        """Start with none."""
        self._publisher = publisher
        self._topic = topic
        self.keys: dict[bytes, bytes] = {}
        self.told: dict[bytes, list[Exception | None]] = defaultdict(list)

    def submit(self, value: bytes, key: bytes | None, seconds: float | None = None) -> None:
        """Submit a record."""
        # Our records all have keys; one without is the only one that a broker calls invalid.
        record = OutgoingRecord(self._topic, cast("bytes", key), value, [("ce_type", b"x")])
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self.keys[value] = key or b""
        self._publisher.submit([record], self.told[value].append, deadline)

    @property
    def kept(self) -> set[bytes]:
        """The values that were acknowledged."""
        return {value for value, told in self.told.items() if told == [None]}

    def answered(self) -> bool:
        """Return whether each has a result."""
        return all(self.told.values())

    def in_order(self, written: Mapping[int, Sequence[bytes]]) -> bool:
        """Return whether each partition has what was kept in the order of submission."""
        kept = self.kept
        for partition, values in written.items():
            first = list(dict.fromkeys(value for value in values if value in kept))
            expected = [
                value
                for value, key in self.keys.items()
                if value in kept and partition_of(key, range(PARTITIONS)) == partition
            ]
            if first != expected:
                return False
        return True


@contextlib.asynccontextmanager
async def running(
    bootstrap: str, topic: str, timing: PublishTiming | None = None
) -> AsyncIterator[Submissions]:
    registry = CollectorRegistry()
    publisher = KafkaPublisher(
        producer_factory(connection_to(bootstrap), 1024 * 1024),
        probe_of([topic], lambda _topic: None, ()),
        RecordRoom(1024 * 1024),
        EdgeMetrics(registry, topics=Topics(topic.removesuffix("payment"))),
        get_log("publish"),
        timing,
    )
    async with publisher.running():
        await eventually(lambda: publisher.health().good)
        yield Submissions(publisher, topic)


async def written(bootstrap: str, topic: str) -> dict[int, list[bytes]]:
    """Return the values of each partition, in order."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    found: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                found[partition.partition].append((await consumer.getone(partition)).value)
    finally:
        await consumer.stop()
    return found


async def test_records_around_a_refused_one_are_written_once_and_in_order(
    broker: Broker, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic], configs={"max.message.bytes": str(LIMIT)})
    large = b"x" * LIMIT
    async with running(broker.bootstrap, topic) as submissions:
        for number in range(600):
            submissions.submit(b"%d" % number, KEYS[number % len(KEYS)])
            if number == 200:
                submissions.submit(large, KEYS[3])
            if number % 50 == 0:
                await asyncio.sleep(0.005)
        await eventually(submissions.answered, pause=0.01)
    found = await written(broker.bootstrap, topic)

    assert submissions.kept == submissions.keys.keys() - {large}
    assert "MessageSizeTooLargeError" in str(submissions.told[large])
    assert Counter(value for values in found.values() for value in values) == Counter(
        submissions.kept
    )
    assert submissions.in_order(found)


async def test_every_record_accepted_by_a_batch_on_its_way_is_written(
    broker: Broker, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic])
    producer = producer_factory(connection_to(broker.bootstrap), 1024 * 1024)()
    await producer.start()
    accepted = []
    try:
        for number in range(100):
            batch = producer.create_batch()
            answer: asyncio.Future[object] | None = None
            for turn in itertools.count():
                value = b"%d-%d" % (number, turn)
                if batch.append(timestamp=None, key=b"k", value=value) is None:
                    break
                accepted.append(value)
                answer = answer or await producer.send_batch(batch, topic, partition=0)
                if turn % 2:
                    # The producer takes the batch out of its queue in one of these turns.
                    await asyncio.sleep(0)
            assert answer is not None
            await answer
    finally:
        await producer.stop()
    found = await written(broker.bootstrap, topic)

    assert len(accepted) >= 200
    assert found[0] == accepted


async def test_record_that_the_broker_calls_invalid_fails_alone(
    broker: Broker, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    # A topic that is compacted accepts no record without a key.
    await create_topics(broker.bootstrap, [topic], configs={"cleanup.policy": "compact"})
    async with running(broker.bootstrap, topic) as submissions:
        for number in range(200):
            submissions.submit(b"%d" % number, KEYS[number % len(KEYS)])
            if number == 100:
                submissions.submit(b"invalid", None)
        await eventually(submissions.answered, pause=0.01)
    found = await written(broker.bootstrap, topic)

    assert submissions.kept == submissions.keys.keys() - {b"invalid"}
    assert "UnknownError" in str(submissions.told[b"invalid"])
    assert {value for values in found.values() for value in values} == submissions.kept
    assert submissions.in_order(found)


async def test_what_is_kept_is_written_in_order_although_the_broker_is_killed(
    own_kafka: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(own_kafka.bootstrap, [topic])
    stopped = asyncio.Event()

    async def load(submissions: Submissions) -> None:
        number = 0
        while not stopped.is_set():
            for _ in range(5):
                submissions.submit(b"%d" % number, KEYS[number % len(KEYS)], DEADLINE_SECONDS)
                number += 1
            await asyncio.sleep(0.01)

    async with running(own_kafka.bootstrap, topic) as submissions:
        loading = asyncio.create_task(load(submissions))
        await eventually(lambda: len(submissions.kept) > 100)
        await asyncio.to_thread(own_kafka.kill)
        await eventually(
            lambda: any(told not in ([], [None]) for told in submissions.told.values())
        )
        await asyncio.to_thread(own_kafka.start)
        before = len(submissions.kept)
        await eventually(lambda: len(submissions.kept) > before + 100)
        stopped.set()
        await loading
        await eventually(submissions.answered)
    found = await written(own_kafka.bootstrap, topic)

    assert {len(told) for told in submissions.told.values()} == {1}
    assert submissions.kept <= {value for values in found.values() for value in values}
    assert submissions.in_order(found)


async def test_every_submission_has_a_result_although_the_broker_never_answers(
    own_kafka: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(own_kafka.bootstrap, [topic])
    quick = PublishTiming(producer=ProducerTiming(stop_seconds=0.5))
    async with running(own_kafka.bootstrap, topic, quick) as submissions:
        submissions.submit(b"first", KEYS[0])
        await eventually(submissions.answered)
        own_kafka.pause()
        for number in range(50):
            submissions.submit(b"%d" % number, KEYS[number % len(KEYS)])
        submissions.submit(b"late", KEYS[0], 0.1)
        await eventually(lambda: bool(submissions.told[b"late"]))
        frozen = len(submissions.kept)
    own_kafka.resume()

    assert frozen == 1
    assert {len(told) for told in submissions.told.values()} == {1}
    assert submissions.kept == {b"first"}
    assert len(asyncio.all_tasks()) == 1


@pytest.fixture
def second(own_kafka: ApacheKafka) -> Iterator[ApacheKafka]:
    """Run a second broker in the cluster of `own_kafka`."""
    node = ApacheKafka(joins=own_kafka)
    try:
        node.start()
        yield node
    finally:
        node.destroy()


async def led_by(bootstrap: str, topic: str, node: int) -> list[int]:
    """Return the partitions that a broker leads."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    try:
        await client.bootstrap()
        await client.set_topics([topic])
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        leaders = {each: client.cluster.leader_for_partition(each) for each in partitions}
    finally:
        await client.close()
    return [each.partition for each, leader in leaders.items() if leader == node]


async def test_frozen_broker_holds_up_no_partition_of_another(
    own_kafka: ApacheKafka, second: ApacheKafka, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(own_kafka.bootstrap, [topic])
    frozen = await led_by(own_kafka.bootstrap, topic, 2)
    keys: dict[bool, bytes] = {}
    for key in KEYS:
        keys[partition_of(key, range(PARTITIONS)) in frozen] = key
    async with running(own_kafka.bootstrap, topic) as submissions:
        for key in KEYS:
            submissions.submit(b"first " + key, key)
        await eventually(submissions.answered)
        second.pause()
        submissions.submit(b"held up", keys[True])
        for number in range(100):
            submissions.submit(b"%d" % number, keys[False])
            await eventually(partial(submissions.told.get, b"%d" % number), pause=0.001)
        during = list(submissions.told[b"held up"])
        second.resume()
        await eventually(submissions.answered)

    assert len(frozen) == PARTITIONS / 2
    assert during == []
    assert submissions.kept == submissions.keys.keys()
