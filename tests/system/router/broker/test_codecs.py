"""Records are read with every compression, set by the producer or by the topic."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnsupportedCodecError

from router.broker.log.batches import heads
from router.broker.log.raw_fetch import fetch_raw
from router.broker.log.reread import reread_records
from router.edge.publishing.publish import producer_factory
from tests.parts.brokers import create_topics
from tests.parts.connections import connection_to
from tests.parts.kafka.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka
CODECS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
SECONDS = 10.0
VALUES = [f"value {number} ".encode() * 100 for number in range(5)]


async def written(producer: AIOKafkaProducer, topic: str) -> TopicPartition:
    """Write the values in one batch."""
    await producer.start()
    await asyncio.gather(
        *[await producer.send(topic, value, key=b"key", partition=0) for value in VALUES]
    )
    await producer.stop()
    return TopicPartition(topic, 0)


async def all_read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> list[bytes | None]:
    """Read the values with aiokafka's own consumer."""
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    found: list[bytes | None] = []
    async with asyncio.timeout(SECONDS):
        while len(found) < len(VALUES):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += [record.value for record in records]
    return found


async def held(consumer: AIOKafkaConsumer, tp: TopicPartition) -> set[int]:
    """Return the codecs of the stored batches."""
    raw = await fetch_raw(consumer, tp, 0, asked_bytes=1 << 20, seconds=SECONDS)
    return {head.codec for head in heads(raw.data)}


async def is_read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
    assert await all_read(consumer, tp) == VALUES
    again = await reread_records(consumer, tp, 2, 100)
    assert ([record.value for record in again.records], again.problem) == (VALUES[2:], None)


@pytest.mark.parametrize("codec", CODECS)
async def test_records_compressed_by_a_producer_are_read(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str, codec: str | None
) -> None:
    name = f"{topics_prefix}order"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec)
    here = await written(producer, name)
    assert await held(consumer, here) == {CODECS[codec]}
    await is_read(consumer, here)


@pytest.mark.parametrize("codec", [codec or "uncompressed" for codec in CODECS])
async def test_records_of_the_edge_on_a_compressing_topic_are_read(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str, codec: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], 1, configs={"compression.type": codec})
    edge = producer_factory(connection_to(kafka.bootstrap), 1 << 20)()
    here = await written(edge, name)
    assert await held(consumer, here) == {CODECS.get(codec, 0)}
    await is_read(consumer, here)


@pytest.mark.parametrize("codec", ["snappy", "lz4", "zstd"])
async def test_error_names_the_package_of_a_missing_codec(
    kafka: ApacheKafka,
    consumer: AIOKafkaConsumer,
    topics_prefix: str,
    codec: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"{topics_prefix}order"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec)
    here = await written(producer, name)
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    seen = await reread_records(consumer, here, 0, 100)
    assert isinstance(seen.problem, UnsupportedCodecError)
    assert f"compressed with {codec}" in str(seen.problem)
    assert f"pip install 'aiokafka[{codec}]'" in str(seen.problem)
    with pytest.raises(UnsupportedCodecError):
        await all_read(consumer, here)
