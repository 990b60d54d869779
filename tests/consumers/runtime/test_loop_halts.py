"""A record that cannot be applied halts its partition: all before it applied, nothing skipped."""

from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.app import ConsumerProcess
from consumers.runtime.service import Outcome
from router.contract.event import Event
from tests.consumers.runtime.counting import count, effects_of, id_of, numbered, written
from tests.consumers.runtime.members import Feed, eventually, halted, ready
from tests.consumers.runtime.unreadable import send_unreadable

MAJOR_2 = [("ce_dataschema", b"urn:payrouter:schema:event:2.0")]


async def applied_but(feed: Feed, *missing: int, of: int) -> None:
    """Assert that exactly these numbers are missing among the effects."""
    wanted = [id_of(number) for number in range(of) if number not in missing]
    assert sorted(await effects_of(feed.engine)) == sorted(wanted)


async def send_around(
    feed: Feed, partition: int, spoil: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
) -> None:
    """Put five events, something else, and five events on a partition."""
    begin = partition * 10
    await feed.send(map(numbered, range(begin, begin + 5)), partition)
    await feed.send_raw(spoil, partition, headers)
    await feed.send(map(numbered, range(begin + 5, begin + 10)), partition)


async def test_records_that_are_no_events_halt_their_partitions_and_no_other(feed: Feed) -> None:
    spoilt: list[tuple[bytes | None, str]] = [
        (b"{truncated", "the value is"),
        (None, "the record has no value"),
        (b"{}", "id: Field required"),
    ]
    for partition, (value, _) in enumerate(spoilt):
        await send_around(feed, partition, value)
    await feed.send(map(numbered, range(30, 40)), partition=3)
    for _ in range(2):  # a restart does not get past them either
        async with feed.member() as process:
            await feed.applied(25)
            for partition, (_, problem) in enumerate(spoilt):
                where = f"payment-{partition} halted: offset 5 holds no event: {problem}"
                assert (await halted(process, where)).count("halted") <= 3
            assert process.alive().good
    await applied_but(feed, *range(5, 10), *range(15, 20), *range(25, 30), of=40)
    fences = await feed.fences()
    assert [fences[partition].next_offset for partition in range(4)] == [5, 5, 5, 10]
    assert await feed.committed() == {0: 5, 1: 5, 2: 5, 3: 10}


async def test_an_event_of_a_later_major_version_halts_until_the_upgrade(feed: Feed) -> None:
    await send_around(feed, 0, written(numbered(99)).value, MAJOR_2)
    async with feed.member() as process:
        await feed.applied(5)
        await halted(process, "offset 5 holds no event: schema version 2.0, this reader knows 1.0")
    await applied_but(feed, of=5)


async def test_an_unreadable_record_that_comes_first_halts_at_once(feed: Feed) -> None:
    await feed.send_raw(b"")
    async with feed.member() as process:
        await halted(process, "offset 0 holds no event")
        await feed.send([numbered(1)])
        await feed.send([numbered(2)], partition=2)
        await feed.applied(1)
    assert await effects_of(feed.engine) == [id_of(2)]


async def test_a_conflict_halts_its_partition_and_the_original_stands(feed: Feed) -> None:
    await feed.send(map(numbered, range(5)))
    await feed.send([numbered(3, amount="1.00"), numbered(5)])
    await feed.send(map(numbered, range(10, 20)), partition=1)
    async with feed.member() as process:
        await feed.applied(15)
        said = await halted(process, "payment-0 halted: offset 5: event")
        assert f"{id_of(3)} is known with contradicting content" in said
        assert metric(process, "conflict", feed) == 1
    await applied_but(feed, *range(5, 10), of=20)
    assert (await feed.fences())[0].next_offset == 5


def metric(process: ConsumerProcess, reason: str, feed: Feed) -> float | None:
    labels = {
        "consumer": "counting",
        "topic": feed.topic,
        "partition": "0",
        "reason": reason,
    }
    return process.registry.get_sample_value("payrouter_partition_halted", labels)


async def refuse_7(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Outcome]:
    outcomes = await count(transaction, events)
    if any(event.id == id_of(7) for event in events):
        message = "seven"
        raise ValueError(message)
    return outcomes


@pytest.mark.parametrize("batch_records", [500, 3])
async def test_a_record_the_handler_cannot_take_halts_with_its_neighbours_applied(
    feed: Feed, batch_records: int
) -> None:
    await feed.send(map(numbered, range(10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    async with feed.member(refuse_7, batch_records=batch_records) as process:
        await feed.applied(17)
        await halted(process, "payment-0 halted: offset 7: ValueError: seven")
    await applied_but(feed, 7, 8, 9, of=20)
    # The handler mended, it goes on where it stood.
    async with feed.member():
        await feed.applied(20)
    await applied_but(feed, of=20)


async def test_a_handler_that_fails_for_everything_halts_each_partition_once(feed: Feed) -> None:
    async def refuse(_: AsyncConnection, __: Sequence[Event]) -> Sequence[Outcome]:
        raise KeyError

    for partition in range(4):
        await feed.send(map(numbered, range(partition * 50, partition * 50 + 50)), partition)
    async with feed.member(refuse) as process:
        await eventually(lambda: process.ready().detail.count("halted") == 4, "4 halts")
    assert [line["reason"] for line in feed.logged("partition_halted")] == ["handler"] * 4
    assert await effects_of(feed.engine) == []


async def test_a_record_the_client_cannot_read_halts_its_partition_and_loses_no_neighbour(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(40)), partition=1)
    values = [written(numbered(number)).value for number in range(40, 46)]
    await send_unreadable(feed.producer, feed.topic, 0, values)
    await feed.send([numbered(46)])
    await feed.send(map(numbered, range(47, 60)), partition=2)
    async with feed.member(batch_records=20) as process:
        await feed.applied(40 + 5 + 13)
        said = await halted(process, "offset 5 cannot be read by the Kafka client")
        assert "UnicodeDecodeError" in said
        assert process.alive().good
    await applied_but(feed, 45, 46, of=60)
    assert (await feed.fences())[0].next_offset == 5


async def test_an_unreadable_record_met_while_running_loses_nothing(feed: Feed) -> None:
    async with feed.member(batch_records=5) as process:
        await ready(process)
        for number in range(0, 40, 4):
            for partition in (1, 2, 3):
                await feed.send([numbered(number + partition)], partition)
            if number == 20:
                await send_unreadable(feed.producer, feed.topic, 0, [b"nothing"])
        await feed.applied(30)
        await halted(process, "offset 0 cannot be read")
    wanted = [id_of(n) for n in range(40) if n % 4]
    assert sorted(await effects_of(feed.engine)) == sorted(wanted)
