"""A broker answers a fetch over a client's quota without data, and even without the topic."""

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from router.broker.adapter.private import ask
from router.broker.log import raw_fetch
from router.broker.log.batches import heads
from router.broker.log.raw_fetch import ONE_BATCH, fetch_raw
from tests.parts.brokers import create_topics
from tests.parts.kafka.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka
CLIENT = "limited"
BYTES_A_SECOND = 20_000
RECORDS = 40
RECORD_BYTES = 10_000
SECONDS = 20.0


@pytest.fixture
async def here(kafka: ApacheKafka, topics_prefix: str) -> TopicPartition:
    """Write a log with many times the data of a client's quota, one record per batch."""
    name = f"{topics_prefix}payment"
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for _ in range(RECORDS):
        await producer.send_and_wait(name, b"x" * RECORD_BYTES, partition=0)
    await producer.stop()
    quota = f"consumer_byte_rate={BYTES_A_SECOND}"
    entity = ["--entity-type", "clients", "--entity-name", CLIENT]
    kafka.tool("kafka.admin.ConfigCommand", "--alter", *entity, "--add-config", quota)
    return TopicPartition(name, 0)


async def test_fetch_emptied_by_a_quota_is_repeated(
    kafka: ApacheKafka, here: TopicPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[int] = []

    async def watched(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
        answer = await ask(*args, **options)
        if not getattr(answer, "topics", True):
            emptied.append(answer.throttle_time_ms)
        return answer

    monkeypatch.setattr(raw_fetch, "ask", watched)
    client = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, client_id=CLIENT, enable_auto_commit=False
    )
    await client.start()
    try:
        for number in range(RECORDS):
            raw = await fetch_raw(client, here, number, asked_bytes=ONE_BATCH, seconds=SECONDS)
            assert [head.base_offset for head in heads(raw.data)] == [number]
            if emptied:
                break
        assert emptied
    finally:
        await client.stop()
