"""Offsets without a record in real logs: transactions explain them, compaction does not."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError, UnknownTopicOrPartitionError

from router.broker.adapter.private import await_partitions, connections_of, leader_of
from router.broker.log import gaps
from router.broker.log.gaps import explain
from router.broker.log.raw_fetch import RawRecords, fetch_raw
from router.broker.log.reread import reread_records
from tests.parts.brokers import create_topics
from tests.parts.kafka.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka
SECONDS = 10.0
TRANSACTIONS = 150
COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.001",
    "segment.ms": "50",
    "delete.retention.ms": "0",
}


async def passed_over(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> Sequence[range]:
    """Read as a read_committed reader, and return the gaps between the offsets."""
    found, at = [], 0
    while at < end:
        seen = await reread_records(consumer, tp, at, 500)
        for record in seen.records:
            found += [range(at, record.offset)] if record.offset > at else []
            at = record.offset + 1
        found += [range(at, seen.next_offset)] if seen.next_offset > at else []
        at = seen.next_offset
    return found


async def test_gaps_of_a_transactional_producer_are_explained_with_few_fetches(
    kafka: ApacheKafka,
    consumer: AIOKafkaConsumer,
    topics_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
    await producer.start()
    end = 0
    for number in range(TRANSACTIONS):
        await producer.begin_transaction()
        end = (await producer.send_and_wait(name, b"x" * 300, partition=0)).offset + 2
        if number % 5:
            await producer.commit_transaction()
        else:
            await producer.abort_transaction()
    await producer.stop()
    fetches: list[int] = []

    async def counted(*args: object, **options: object) -> object:
        fetches.append(1)
        return await fetch_raw(*args, **options)  # type: ignore[arg-type] # passed through

    missing = await passed_over(consumer, here, end)
    assert len(missing) >= TRANSACTIONS * 4 / 5
    monkeypatch.setattr(gaps, "fetch_raw", counted)
    assert await explain(consumer, here, missing, SECONDS) == []
    assert len(fetches) == 1
    # A record of a committed transaction exists, so nothing explains its offset.
    assert await explain(consumer, here, [range(2, 3)], SECONDS) == [range(2, 3)]


async def test_compacted_records_are_reported_as_missing_offset_by_offset(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1, configs=COMPACTED)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    # Within one batch and in separate batches, since compaction changes them differently.
    await asyncio.gather(*(producer.send(name, b"1", key=b"same", partition=0) for _ in range(6)))
    await producer.flush()
    end = 0
    async with asyncio.timeout(30):
        # The cleaner skips the active segment, so occasional records start new segments.
        while not (missing := await passed_over(consumer, here, end)):
            sent = await producer.send_and_wait(name, b"1", key=b"same", partition=0)
            end = sent.offset
            await asyncio.sleep(0.1)
    await producer.stop()
    assert sum(map(len, missing)) > 0
    assert await explain(consumer, here, missing, SECONDS) == missing


async def test_deleted_records_are_not_explained(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=name)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await admin.start()
    for _ in range(3):
        async with producer.transaction():
            await producer.send_and_wait(name, b"1", partition=0)
    await admin.delete_records({here: RecordsToDelete(before_offset=4)})
    found = await explain(consumer, here, [range(1, 2), range(3, 4), range(5, 6)], SECONDS)
    assert found == [range(1, 2), range(3, 4)]
    assert (await _one_batch(consumer, here, 4)).data
    with pytest.raises(OffsetOutOfRangeError):
        await _one_batch(consumer, here, 3)
    await producer.stop()
    await admin.close()


async def test_outdated_leader_is_looked_up_again(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1)
    await _send(kafka, name)
    await await_partitions(consumer, name)
    cluster = connections_of(consumer).cluster
    cluster._partitions[name][0] = cluster._partitions[name][0]._replace(leader=99)  # noqa: SLF001 - an outdated leader
    assert leader_of(consumer, here) == 99
    assert (await _one_batch(consumer, here, 0)).data
    with pytest.raises(UnknownTopicOrPartitionError):
        await _one_batch(consumer, TopicPartition(name, 7), 0)


async def _one_batch(
    consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int
) -> RawRecords:
    return await fetch_raw(consumer, partition, offset, asked_bytes=1, seconds=SECONDS)


async def _send(kafka: ApacheKafka, name: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await producer.send_and_wait(name, b"1", partition=0)
    await producer.stop()
