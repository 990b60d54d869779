"""A log that is not the one the fence knows halts its partition; nothing is skipped silently."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.parts.brokers import create_topics
from tests.parts.runtime.counting import effects_of, id_of, numbered, set_fence
from tests.parts.runtime.members import Feed, eventually, halted, ready


async def recreate(feed: Feed) -> None:
    """Delete the topic and make it anew, empty."""
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


async def test_a_fence_behind_the_end_of_the_log_halts_and_the_neighbours_go_on(
    feed: Feed,
) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), next_offset=15, gaps=5)
    async with feed.member() as process:
        await feed.send(map(numbered, range(20, 25)), partition=1)
        await feed.applied(15)
        await halted(process, "15 is to be applied next, but the log ends at 10")
    assert (await feed.fences())[0].next_offset == 15


async def test_a_log_that_catches_up_in_time_is_read_on(feed: Feed) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), next_offset=12, last_offset=None, gaps=2)
    async with feed.member(beyond_end_seconds=3600) as process:
        late = f"positioning 1: {feed.topic}-0: asked again, as the broker may be late (beyond_end"
        await eventually(lambda: process.ready().detail.startswith(late), "one not positioned")
        await feed.send(map(numbered, range(10, 15)))
        await feed.applied(13)
        await ready(process)
    assert await effects_of(feed.engine) == [id_of(n) for n in (*range(10), 12, 13, 14)]


async def test_another_record_in_the_place_of_the_last_applied_one_halts(feed: Feed) -> None:
    await apply_ten(feed)
    await set_fence(feed.engine, feed.partition(0), last_crc=1)
    async with feed.member() as process:
        await feed.send([numbered(10)])
        said = await halted(process, "offset 9 holds another record than the one applied")
        assert "was the topic recreated?" in said
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
@pytest.mark.parametrize("number", [5, 10, 20])
async def test_a_topic_made_anew_while_away_halts_whatever_is_in_it(
    feed: Feed, number: int
) -> None:
    await apply_ten(feed)
    await recreate(feed)
    await feed.send(map(numbered, range(100, 100 + number)))
    async with feed.member() as process:
        await halted(process, "payment-0 halted: the topic was deleted and recreated")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_a_topic_made_anew_while_running_halts_too(feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        await recreate(feed)
        await halted(process, "payment-0 halted: the topic was deleted and recreated")
        await feed.send(map(numbered, range(10, 15)), partition=1)
        await halted(process, "payment-1 halted: the topic was deleted and recreated")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_a_log_that_lost_what_was_not_applied_halts_and_says_how_much(feed: Feed) -> None:
    await apply_ten(feed)
    await feed.send(map(numbered, range(10, 20)))
    await delete_before(feed, 14)
    async with feed.member() as process:
        await halted(process, "4 offsets were deleted before they were applied")
    assert len(await effects_of(feed.engine)) == 10


@pytest.mark.kafka
async def test_a_log_that_lost_only_what_was_applied_is_read_on(feed: Feed) -> None:
    await apply_ten(feed)
    await feed.send(map(numbered, range(10, 20)))
    await delete_before(feed, 10)
    async with feed.member():
        await feed.applied(20)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(20)]


@pytest.mark.kafka
async def test_what_a_new_consumer_never_saw_of_an_empty_log_does_not_vanish_silently(
    feed: Feed,
) -> None:
    async with feed.member() as process:
        await ready(process)
    await feed.send(map(numbered, range(10)))
    await delete_before(feed, 10)
    async with feed.member() as process:
        await halted(process, "10 offsets were deleted before they were applied")


@pytest.mark.kafka
async def test_a_first_start_on_a_log_that_no_longer_begins_at_zero_begins_where_it_begins(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(10)))
    await delete_before(feed, 6)
    async with feed.member():
        await feed.applied(4)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(6, 10)]
    fence = (await feed.fences())[0]
    assert (fence.first_offset, fence.next_offset) == (6, 10)
