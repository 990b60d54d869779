"""A record of a too new version halts its partition, and nothing else."""

from consumers.runtime.member.app import ConsumerProcess
from tests.parts.runtime.counting import held_in, numbered, written
from tests.parts.runtime.members import Feed, halted
from tests.parts.runtime.told import applied_but, metric
from tests.parts.waiting import eventually

MAJOR_2 = [("ce_dataschema", b"urn:payrouter:schema:event:2.0")]


async def test_later_major_version_halts_only_its_partition(feed: Feed) -> None:
    later = written(numbered(99)).value
    await feed.send(map(numbered, range(5)))
    await feed.send_raw(later, headers=MAJOR_2)
    await feed.send(map(numbered, range(5, 10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    for _ in range(2):  # a restart does not get past it either
        async with feed.member() as process:
            await feed.applied(15)
            said = await halted(process, "payment-0 halted: offset 5: schema version 2.0")
            assert said.count("halted") == 1
            assert "Upgrade payrouter" in said
            assert halted_for(process, feed, "too_new") == 1
    await applied_but(feed, *range(5, 10), of=20)
    assert (await feed.fences())[0].next_offset == 5
    assert (await feed.committed())[0] == 5
    assert await held_in(feed.engine) == []


async def test_later_event_type_halts_its_partition_instead_of_dying(feed: Feed) -> None:
    event = written(numbered(99))
    assert event.value is not None
    later = event.value.replace(b'"payment.confirmed"', b'"payment.written_off"')
    await feed.send([numbered(0)])
    await feed.send_raw(later, headers=[("ce_dataschema", b"urn:payrouter:schema:event:1.0")])
    await feed.send([numbered(1)])
    async with feed.member() as process:
        said = await halted(process, "payment-0 halted: offset 1: event type payment.written_off")
        assert "Upgrade payrouter" in said
    assert (await feed.fences())[0].next_offset == 1
    assert await held_in(feed.engine) == []


async def test_later_major_version_at_the_start_halts_at_once(feed: Feed) -> None:
    await feed.send_raw(written(numbered(99)).value, headers=MAJOR_2)
    async with feed.member() as process:
        await halted(process, "offset 0: schema version 2.0")
        await feed.send([numbered(1)])
        await feed.send([numbered(2)], partition=2)
        await feed.applied(1)
    await applied_but(feed, 0, 1, of=3)


async def test_partitions_halt_each_for_its_own_reason(feed: Feed) -> None:
    for partition in range(4):
        await feed.send([numbered(partition)], partition)
        await feed.send_raw(written(numbered(99)).value, partition, MAJOR_2)
    async with feed.member() as process:
        await eventually(lambda: process.ready().detail.count("halted") == 4, "4 halts")
        assert process.alive().good
    await applied_but(feed, of=4)


def halted_for(process: ConsumerProcess, feed: Feed, reason: str) -> float | None:
    return metric(
        process, "payrouter_partition_halted", topic=feed.topic, partition="0", reason=reason
    )
