"""A consumer on a real log applies every event once, across restarts."""

from consumers.runtime.apply.offsets import LastApplied
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from tests.parts.runtime.counting import (
    CLUSTER,
    SERVICE,
    TABLES,
    count,
    counts_of,
    effects_of,
    fences_of,
    id_of,
    numbered,
    record,
)
from tests.parts.runtime.members import Feed, ready
from tests.parts.waiting import eventually


async def test_every_event_of_every_partition_is_applied_once_and_in_order(feed: Feed) -> None:
    async with feed.member() as process:
        for partition in range(4):
            await feed.send(map(numbered, range(partition * 30, partition * 30 + 30)), partition)
        await feed.applied(120)
        await ready(process)
    effects = await effects_of(feed.engine)
    for partition in range(4):
        own = [id_of(number) for number in range(partition * 30, partition * 30 + 30)]
        assert [event_id for event_id in effects if event_id in own] == own
    assert len(effects) == 120


async def test_records_from_before_the_first_start_are_applied_too(feed: Feed) -> None:
    await feed.send(map(numbered, range(20)))
    async with feed.member():
        await feed.applied(20)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(20)]


async def test_restart_continues_at_the_fence(feed: Feed) -> None:
    for begin in (0, 10):
        await feed.send(map(numbered, range(begin, begin + 10)))
        async with feed.member():
            await feed.applied(begin + 10)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(20)]
    assert (await feed.fences())[0].next_offset == 20
    assert sum(row.duplicate for row in await counts_of(feed.engine)) == 0


async def test_resent_event_is_counted_and_has_no_second_effect(feed: Feed) -> None:
    await feed.send(map(numbered, [1, 2, 1, 3]))
    await feed.send(map(numbered, [2, 4, 4]), partition=1)
    async with feed.member():
        await feed.applied(4)
        await eventually(lambda: _passed(feed, 7), "7 records passed")
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, [1, 2, 3, 4]))
    rows = await counts_of(feed.engine)
    assert (sum(row.applied for row in rows), sum(row.duplicate for row in rows)) == (4, 3)


async def _passed(feed: Feed, number: int) -> bool:
    return sum(fence.next_offset for fence in (await feed.fences()).values()) >= number


async def test_committed_offsets_equal_the_fences(feed: Feed) -> None:
    await feed.send(map(numbered, range(25)))
    await feed.send(map(numbered, range(25, 35)), partition=2)
    async with feed.member(batch_records=10):
        await feed.applied(35)
    assert await feed.committed() == {0: 25, 2: 10}
    fences = await feed.fences()
    assert {number: fence.next_offset for number, fence in fences.items()} == {
        0: 25,
        1: 0,
        2: 10,
        3: 0,
    }


async def test_committed_offsets_have_no_influence(feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member():
        await feed.applied(10)
    async with feed.engine.begin() as connection:
        await connection.execute(TABLES.fence.delete())
        await connection.execute(TABLES.seen_event.delete())
    async with feed.member():
        await feed.applied(20)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(10)] * 2


async def test_emptied_database_is_noticed_while_running(feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member():
        await feed.applied(10)
        async with feed.engine.begin() as connection:
            await connection.execute(TABLES.fence.delete())
        await feed.send([numbered(10)])
        await feed.applied(11)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(11)]
    assert sum(row.duplicate for row in await counts_of(feed.engine)) == 10


async def test_partition_without_records_has_a_fence(feed: Feed) -> None:
    async with feed.member() as process:
        await ready(process)
    fences = await feed.fences()
    assert {number: fence.next_offset for number, fence in fences.items()} == dict.fromkeys(
        range(4), 0
    )


async def test_fences_of_another_cluster_can_be_ignored_by_a_setting(feed: Feed) -> None:
    stale = {
        "cluster_id": CLUSTER,
        "topic": feed.topic,
        "partition": 0,
        "first_offset": 0,
        "next_offset": 1000,
        "applied": 1000,
    }
    async with feed.engine.begin() as connection:
        await connection.execute(TABLES.fence.insert(), stale)
    await feed.send(map(numbered, range(5)))
    async with feed.member(other_cluster="read"):
        await feed.applied(5)
    assert (await fences_of(feed.engine))[feed.partition(0)].next_offset == 1000
    assert (await feed.fences())[0].next_offset == 5


async def test_owner_drops_records_that_a_zombie_applied(feed: Feed) -> None:
    await feed.send(map(numbered, range(5)))
    async with feed.member():
        await feed.applied(5)
        fences = await feed.fences()
        zombie = Applier(StoredBooks(feed.engine, SERVICE, await feed.cluster_id()), SERVICE, count)
        stolen = [record(offset, numbered(offset), feed.partition(0)) for offset in (5, 6)]
        await zombie.apply(stolen, {feed.partition(0): fences[0]})
        await feed.send(map(numbered, range(5, 9)))
        await feed.applied(9)
    assert await effects_of(feed.engine) == [id_of(number) for number in range(9)]
    assert sum(int(str(line.get("redelivered", 0))) for line in feed.logged("batch")) > 0


async def test_small_batches_lose_nothing(feed: Feed) -> None:
    await feed.send(map(numbered, range(20)))
    await feed.send(map(numbered, range(20, 40)), partition=3)
    async with feed.member(batch_records=3):
        await feed.applied(40)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(40)))
    last = (await feed.fences())[0].last
    assert isinstance(last, LastApplied)
    assert last.offset == 19
