"""The identity of a log, and every offset without a record, are checked while reading.

These need a real Kafka: the evaluation broker deletes no topics and compacts nothing.
"""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from router.broker.log.reread import reread_records
from tests.parts.brokers import create_topics
from tests.parts.runtime.child import child
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import (
    counts_of,
    effects_of,
    held_in,
    id_of,
    numbered,
    written,
)
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.running import Running
from tests.parts.runtime.told import applied_but, metric
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.001",
    "segment.ms": "100",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
}


async def recreate(feed: Feed, configs: dict[str, str] | None = None) -> None:
    """Delete the topic and create it again, empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([feed.topic])

        async def gone() -> bool:
            return feed.topic not in await admin.list_topics()

        await eventually(gone, "the topic's end")
    finally:
        await admin.close()
    await create_topics(feed.broker.bootstrap, [feed.topic], configs=configs)


def named(said: str) -> list[str]:
    """Return the last command that sets a fence, from the text of /readyz."""
    return shlex.split(re.findall(r"`payrouter (offsets reset [^`]+)`", said)[-1])


async def accept(payrouter: Payrouter, command: list[str]) -> None:
    done = await payrouter(*command, "--yes")
    assert done.status == 0, done.err


async def halted_of(consumer: Running, reason: str) -> float:
    return sum(await consumer.measures("payrouter_partition_halted", reason=reason))


async def test_topic_recreated_while_the_consumer_is_frozen_loses_nothing(
    feed: Feed, payrouter: Payrouter
) -> None:
    before, anew = range(60), range(60, 355)
    for number in before:
        await feed.send([numbered(number)], number % 4)
    # The session outlasts the freeze, so the group does not rebalance.
    async with child(feed, session_timeout_seconds=60, transaction_timeout_seconds=5) as consumer:
        await feed.applied(len(before))
        await consumer.says(200, "4 partitions assigned and moving")
        consumer.freeze()
        await recreate(feed)
        for partition in range(4):
            own = [numbered(number) for number in anew if number % 4 == partition]
            await feed.send(own, partition)
        await asyncio.sleep(4)
        consumer.thaw()
        await consumer.says(503, "was deleted and recreated")
        await consumer.says(503, "--to earliest")
        for partition in range(4):
            await consumer.says(503, f"{feed.topic}-{partition} halted")
        assert await halted_of(consumer, "other_log") == 4
        given = ("offsets", "reset", "counting", "--topic", feed.topic, "--to", "earliest")
        await accept(payrouter, list(given))
        await feed.applied(355)
        await consumer.says(200, "4 partitions assigned and moving")
        assert await halted_of(consumer, "other_log") == 0
        assert await consumer.stop() == 0
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(355)))


async def test_topic_recreated_under_a_running_consumer_halts_before_anything_is_missed(
    feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        await recreate(feed)
        await feed.send(map(numbered, range(10, 60)))
        said = await halted(process, "was deleted and recreated")
        assert said.count("halted") >= 1
        await eventually(lambda: process.ready().detail.count(" halted:") == 4, "four halts")
        where = {"topic": feed.topic, "partition": "0", "reason": "other_log"}
        assert metric(process, "payrouter_partition_halted", **where) == 1
        given = ("offsets", "reset", "counting", "--topic", feed.topic, "--to", "earliest")
        await accept(payrouter, list(given))
        await feed.applied(60)
        await ready(process)
    await applied_but(feed, of=60)


async def keyed(feed: Feed, numbers: range, key: bytes) -> None:
    """Send events under a single key (unlike the edge), so that compaction keeps only the last."""
    for number in numbers:
        await feed.send_raw(written(numbered(number)).value, key=key)


async def test_compacted_records_halt_until_the_named_command_accepts_the_loss(
    feed: Feed, payrouter: Payrouter
) -> None:
    await recreate(feed, COMPACTED)
    await keyed(feed, range(12), b"one key")
    await asyncio.sleep(0.2)
    await keyed(feed, range(12, 13), b"another key")  # closes the segment before it
    await compacted(feed)
    async with feed.member() as process:
        said = await halted(process, "the log has no records at the offsets 0 to 10 (11 of them)")
        where = {"topic": feed.topic, "partition": "0", "reason": "records_missing"}
        assert metric(process, "payrouter_partition_halted", **where) == 1
        assert await effects_of(feed.engine) == []
        assert (await feed.fences())[0].next_offset == 0
        command = named(said)
        assert command[-2:] == ["--to", "11"]
        await accept(payrouter, command)
        await feed.applied(2)
        await ready(process)
    assert await effects_of(feed.engine) == [id_of(11), id_of(12)]
    history = await payrouter("dlq", "history", "counting")
    assert "offsets reset" in history.out


async def compacted(feed: Feed) -> None:
    """Wait until compaction has removed records of partition 0."""
    client = AIOKafkaConsumer(feed.topic, bootstrap_servers=feed.broker.bootstrap)
    await client.start()
    try:

        async def taken() -> bool:
            seen = await reread_records(client, TopicPartition(feed.topic, 0), 0, 1)
            return bool(seen.records) and seen.records[0].offset > 0

        await eventually(taken, "compaction")
    finally:
        await client.stop()


@pytest.fixture
async def transactional(feed: Feed) -> AsyncIterator[AIOKafkaProducer]:
    """Yield a transactional producer, like that of a foreign application."""
    producer = AIOKafkaProducer(
        bootstrap_servers=feed.broker.bootstrap, transactional_id=f"{feed.prefix}transactions"
    )
    await producer.start()
    yield producer
    await producer.stop()


async def in_a_transaction(
    feed: Feed, producer: AIOKafkaProducer, numbers: range, *, abort: bool = False
) -> None:
    await producer.begin_transaction()
    for number in numbers:
        out = written(numbered(number), feed.topic)
        await producer.send_and_wait(feed.topic, out.value, out.key, partition=0)
    await (producer.abort_transaction() if abort else producer.commit_transaction())


async def test_committed_and_aborted_transactions_are_passed_up_to_the_end_of_the_log(
    feed: Feed, transactional: AIOKafkaProducer
) -> None:
    async with feed.member() as process:
        await in_a_transaction(feed, transactional, range(5))
        await in_a_transaction(feed, transactional, range(100, 120), abort=True)
        await in_a_transaction(feed, transactional, range(5, 8))
        await feed.send([numbered(8)])
        await in_a_transaction(feed, transactional, range(120, 125), abort=True)
        await feed.applied(9)

        # 5 records and a marker, 20 and one, 3 and one, 1, 5 and one.
        async def at_the_end() -> bool:
            return (await feed.fences())[0].next_offset == 38

        await eventually(at_the_end, "the fence at the end of the log")
        where = {"topic": feed.topic, "partition": "0"}
        await eventually(
            lambda: metric(process, "payrouter_lag_records", **where) == 0, "a lag of 0"
        )
        await ready(process)
        await in_a_transaction(feed, transactional, range(9, 12))
        await feed.applied(12)
    await applied_but(feed, of=12)
    assert not feed.logged("partition_halted")
    row = next(row for row in await counts_of(feed.engine) if row.partition == 0)
    assert (row.applied, row.gaps) == (12, row.next_offset - row.first_offset - 12)
    assert await held_in(feed.engine) == []
