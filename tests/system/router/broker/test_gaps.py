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
from router.broker.log.reread import second_look
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
    """Read as a committed reader does, and return where the offset was not the next one."""
    found, at = [], 0
    while at < end:
        seen = await second_look(consumer, tp, at, 500)
        for record in seen.records:
            found += [range(at, record.offset)] if record.offset > at else []
            at = record.offset + 1
        found += [range(at, seen.next_offset)] if seen.next_offset > at else []
        at = seen.next_offset
    return found


async def test_a_producer_of_transactions_leaves_gaps_that_few_fetches_explain(
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
        return await fetch_raw(*args, **options)  # type: ignore[arg-type] # as they came

    missing = await passed_over(consumer, here, end)
    assert len(missing) >= TRANSACTIONS * 4 / 5
    monkeypatch.setattr(gaps, "fetch_raw", counted)
    assert await explain(consumer, here, missing, SECONDS) == []
    assert len(fetches) == 1
    # A record of a committed transaction is there, so nothing explains its absence.
    assert await explain(consumer, here, [range(2, 3)], SECONDS) == [range(2, 3)]


async def test_what_compaction_ate_is_reported_missing_offset_by_offset(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1, configs=COMPACTED)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    # Within one batch and in batches of their own, as both look different afterwards.
    await asyncio.gather(*(producer.send(name, b"1", key=b"same", partition=0) for _ in range(6)))
    await producer.flush()
    end = 0
    async with asyncio.timeout(30):
        # The cleaner leaves the segment that is written to: a record now and then ends it.
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


async def test_a_leader_that_the_client_remembers_wrongly_is_asked_for_again(
    kafka: ApacheKafka, consumer: AIOKafkaConsumer, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    here = TopicPartition(name, 0)
    await create_topics(kafka.bootstrap, [name], partitions=1)
    await _send(kafka, name)
    await await_partitions(consumer, name)
    cluster = connections_of(consumer).cluster
    cluster._partitions[name][0] = cluster._partitions[name][0]._replace(leader=99)  # noqa: SLF001 - as it was before
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
