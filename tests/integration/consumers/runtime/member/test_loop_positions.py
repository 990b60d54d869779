"""A log that does not match its fence halts the partition; nothing is skipped silently."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.parts.brokers import create_topics
from tests.parts.runtime.counting import effects_of, id_of, numbered, set_fence
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.waiting import eventually


async def recreate(feed: Feed) -> None:
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
    await create_topics(feed.broker.bootstrap, [feed.topic])


async def delete_before(feed: Feed, offset: int) -> None:
    """Delete the records of partition 0 before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(feed.topic, 0): RecordsToDelete(before_offset=offset)}
        )
    finally:
        await admin.close()


async def apply_ten(feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member():
        await feed.applied(10)


async def test_fence_beyond_the_end_of_the_log_halts_while_other_partitions_continue(
    feed: Feed,
) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), next_offset=15, gaps=5)
    async with feed.member() as process:
        await feed.send(map(numbered, range(20, 25)), partition=1)
        await feed.applied(15)
        await halted(process, "the next offset to apply is 15, but the log ends at 10")
    assert (await feed.fences())[0].next_offset == 15


async def test_log_that_catches_up_in_time_is_read(feed: Feed) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), next_offset=12, last_offset=None, gaps=2)
    async with feed.member(beyond_end_seconds=3600) as process:
        late = (
            f"positioning 1: {feed.topic}-0: checking again, as the broker may be late (beyond_end"
        )
        await eventually(lambda: process.ready().detail.startswith(late), "one not positioned")
        await feed.send(map(numbered, range(10, 15)))
        await feed.applied(13)
        await ready(process)
    assert await effects_of(feed.engine) == [id_of(n) for n in (*range(10), 12, 13, 14)]


async def test_different_record_at_the_last_applied_offset_halts(feed: Feed) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), last_crc=1)
    async with feed.member() as process:
        await feed.send([numbered(10)])
        said = await halted(process, "offset 9 has a different record than the one applied")
        assert "was the topic recreated?" in said
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
@pytest.mark.parametrize("number", [5, 10, 20])
async def test_topic_recreated_during_downtime_halts_with_any_content(
    feed: Feed, number: int
) -> None:
    await apply_ten(feed)
    await recreate(feed)
    await feed.send(map(numbered, range(100, 100 + number)))
    async with feed.member() as process:
        await halted(process, "payment-0 halted: the topic was deleted and recreated")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_topic_recreated_while_running_halts_too(feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        await recreate(feed)
        await halted(process, "payment-0 halted: the topic was deleted and recreated")
        await feed.send(map(numbered, range(10, 15)), partition=1)
        await halted(process, "payment-1 halted: the topic was deleted and recreated")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_loss_of_unapplied_records_halts_with_their_number(feed: Feed) -> None:
    await apply_ten(feed)
    await feed.send(map(numbered, range(10, 20)))
    await delete_before(feed, 14)
    async with feed.member() as process:
        await halted(process, "4 offsets were deleted before they were applied")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_loss_of_applied_records_is_ignored(feed: Feed) -> None:
    await apply_ten(feed)
    await feed.send(map(numbered, range(10, 20)))
    await delete_before(feed, 10)
    async with feed.member():
        await feed.applied(20)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(20)]


@pytest.mark.kafka
async def test_records_lost_before_the_first_read_halt_a_new_consumer(
    feed: Feed,
) -> None:
    async with feed.member() as process:
        await ready(process)
    await feed.send(map(numbered, range(10)))
    await delete_before(feed, 10)
    async with feed.member() as process:
        await halted(process, "10 offsets were deleted before they were applied")


@pytest.mark.kafka
async def test_first_start_begins_at_the_start_of_a_truncated_log(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(10)))
    await delete_before(feed, 6)
    async with feed.member():
        await feed.applied(4)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(6, 10)]
    fence = (await feed.fences())[0]
    assert (fence.first_offset, fence.next_offset) == (6, 10)
