"""The fence decides what is read, and a log that is not the fence's is not read at all."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from faststream.kafka import KafkaBroker
from sqlalchemy import text

from router.contract.wire import encode_event
from tests.parts.brokers import create_topics
from tests.parts.exactly_once.living import Living, numbered
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka


async def commit(feed: Living, offset: int) -> None:
    """Commit an offset of partition 0 to Kafka, as another client of the group would."""
    at = TopicPartition(feed.topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=feed.bootstrap, group_id=feed.group)
    await consumer.start()
    consumer.assign([at])
    await consumer.commit({at: offset})
    await consumer.stop()


async def test_offsets_in_kafka_ahead_of_the_fence_skip_nothing(feed: Living) -> None:
    async with feed.service():
        await feed.send([0])
        await feed.applied([0])
    await feed.send([1, 2])
    # As if the database had been restored from a backup. No record comes after these.
    await commit(feed, 3)
    async with feed.service():
        await feed.applied([0, 1, 2])


async def test_group_that_worked_without_the_guard_has_to_decide_where_it_begins(
    feed: Living,
) -> None:
    await feed.send([0, 1])
    await commit(feed, 1)
    async with feed.service() as guard:
        await feed.blocked(guard, "Kafka has its offset 1, and the log begins at 0")
    async with feed.service(begin="committed"):
        await feed.applied([1])
    async with feed.engine.begin() as connection:
        await connection.execute(text("DELETE FROM payrouter_fence"))
    async with feed.service(begin="earliest"):
        # The known event is a duplicate.
        await feed.applied([1, 0])


async def test_recreated_topic_is_not_read_as_if_it_were_the_old_one(feed: Living) -> None:
    # aiokafka looks for new partitions when its metadata is too old.
    broker = KafkaBroker(feed.bootstrap, logger=None, metadata_max_age_ms=500)
    async with feed.service(broker=broker) as guard:
        await feed.send([0])
        await feed.applied([0])
        admin = AIOKafkaAdminClient(bootstrap_servers=feed.bootstrap)
        await admin.start()
        await admin.delete_topics([feed.topic])

        async def gone() -> bool:
            return feed.topic not in await admin.list_topics()

        await eventually(gone, "the topic to be deleted")
        await admin.close()
        await create_topics(feed.bootstrap, [feed.topic])
        await feed.send([1, 2])
        await feed.blocked(guard, "the topic was deleted and created again")
        assert await feed.effects() == [numbered(0).id]
        async with feed.engine.begin() as connection:
            await connection.execute(text("DELETE FROM payrouter_fence"))
    async with feed.service(begin="earliest"):
        await feed.applied([0, 1, 2])


async def test_log_of_another_cluster_is_not_read_until_an_operator_decides(feed: Living) -> None:
    await feed.send([0])
    async with feed.service():
        await feed.applied([0])
    async with feed.engine.begin() as connection:
        await connection.execute(text("UPDATE payrouter_fence SET cluster_id = 'another'"))
    await feed.send([1])
    async with feed.service(begin="earliest") as guard:
        await feed.blocked(guard, "has applied this topic from another Kafka cluster")
    assert await feed.effects() == [numbered(0).id]
    async with feed.engine.begin() as connection:
        await connection.execute(text("DELETE FROM payrouter_fence"))
    async with feed.service(begin="earliest"):
        await feed.applied([0, 1])


async def test_records_deleted_before_they_were_applied_are_not_passed_over(feed: Living) -> None:
    await feed.send([0, 1, 2])
    async with feed.service():
        await feed.applied([0, 1, 2])
    await feed.send([3, 4])
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(feed.topic, 0): RecordsToDelete(4)})
    await admin.close()
    async with feed.service() as guard:
        await feed.blocked(guard, "1 offsets were deleted before they were applied")
    assert len(await feed.effects()) == 3


async def test_markers_of_transactions_do_not_count_as_missing(feed: Living) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=feed.bootstrap, transactional_id=feed.topic)
    async with producer:
        for number in (0, 1):
            out = encode_event(numbered(number), feed.topic, "trace")
            async with producer.transaction():
                await producer.send_and_wait(feed.topic, out.value, out.key, partition=0)
        out = encode_event(numbered(9), feed.topic, "trace")
        await producer.begin_transaction()
        await producer.send_and_wait(feed.topic, out.value, out.key, partition=0)
        await producer.abort_transaction()
    await feed.send([2])
    async with feed.service():
        await feed.applied([0, 1, 2])
