"""Records are read however they are compressed, by their producer or by their topic."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnsupportedCodecError

from router.broker.log.batches import heads
from router.broker.log.raw_fetch import fetch_raw
from router.broker.log.reread import second_look
from router.edge.publishing.publish import producer_factory
from tests.parts.brokers import create_topics
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
    """Read the values by aiokafka's own consumer."""
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    found: list[bytes | None] = []
    async with asyncio.timeout(SECONDS):
        while len(found) < len(VALUES):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += [record.value for record in records]
    return found


async def held(consumer: AIOKafkaConsumer, tp: TopicPartition) -> set[int]:
    """Return the codecs of the batches that the broker keeps."""
    raw = await fetch_raw(consumer, tp, 0, asked_bytes=1 << 20, seconds=SECONDS)
    return {head.codec for head in heads(raw.data)}


async def is_read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
    assert await all_read(consumer, tp) == VALUES
    again = await second_look(consumer, tp, 2, 100)
    assert ([record.value for record in again.records], again.problem) == (VALUES[2:], None)


@pytest.mark.parametrize("codec", CODECS)
async def test_what_a_producer_compressed_is_read(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str, codec: str | None
) -> None:
    name = f"{topics_prefix}order"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec)
    here = await written(producer, name)
    assert await held(consumer, here) == {CODECS[codec]}
    await is_read(consumer, here)


@pytest.mark.parametrize("codec", [codec or "uncompressed" for codec in CODECS])
async def test_what_the_edge_writes_to_a_topic_that_compresses_is_read(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str, codec: str
) -> None:
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], 1, configs={"compression.type": codec})
    edge = producer_factory({"bootstrap_servers": kafka.bootstrap}, 1 << 20)()
    here = await written(edge, name)
    assert await held(consumer, here) == {CODECS.get(codec, 0)}
    await is_read(consumer, here)


@pytest.mark.parametrize("codec", ["snappy", "lz4", "zstd"])
async def test_a_codec_that_is_not_installed_is_named_with_its_package(
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
    seen = await second_look(consumer, here, 0, 100)
    assert isinstance(seen.problem, UnsupportedCodecError)
    assert f"compressed with {codec}" in str(seen.problem)
    assert f"pip install 'aiokafka[{codec}]'" in str(seen.problem)
    with pytest.raises(UnsupportedCodecError):
        await all_read(consumer, here)
