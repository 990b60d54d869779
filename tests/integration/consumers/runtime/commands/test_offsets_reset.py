"""`payrouter offsets reset` sets the next offset; claimed event ids stay claimed."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from consumers.runtime.apply.offsets import begin_fences
from consumers.runtime.commands.actions.held_admin import list_operations
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TABLES, counts_of, numbered, set_fence
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import applied_but, refusing
from tests.parts.waiting import eventually

EARLIEST = ("--to", "earliest", "--yes")


async def content(feed: Feed) -> str:
    """Return the hash of all effects."""
    async with feed.engine.connect() as connection:
        rows = await connection.execute(text("SELECT * FROM counting.effect ORDER BY id"))
        return hashlib.sha256(repr(rows.all()).encode()).hexdigest()


async def duplicates(feed: Feed) -> int:
    return sum(row.duplicate for row in await counts_of(feed.engine))


@pytest.mark.parametrize("running", [True, False])
async def test_topic_read_again_twice_changes_no_effect(
    feed: Feed, payrouter: Payrouter, *, running: bool
) -> None:
    for partition in range(4):
        await feed.send(map(numbered, range(partition * 25, partition * 25 + 25)), partition)
    handler = refusing(7, 30)
    async with feed.member(handler, attempts=1) as process:
        await feed.applied(98)
        await ready(process)
        before = await content(feed)
        if running:
            await twice(feed, payrouter)
    if not running:
        for _ in range(2):
            said = await payrouter("offsets", "reset", "counting", "--topic", "payment", *EARLIEST)
            assert said.status == 0, said.err
            async with feed.member(handler, attempts=1):
                await eventually(lambda: _all(feed, 98), "98 duplicates")
    assert await content(feed) == before
    await applied_but(feed, 7, 30, of=100)


async def twice(feed: Feed, payrouter: Payrouter) -> None:
    for _ in range(2):
        said = await payrouter("offsets", "reset", "counting", "--topic", feed.topic, *EARLIEST)
        assert said.status == 0, said.err
        await eventually(lambda: _all(feed, 98), "98 duplicates")


async def _all(feed: Feed, number: int) -> bool:
    return await duplicates(feed) == number


async def test_reset_is_a_dry_run_by_default(feed: Feed, payrouter: Payrouter) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member():
        await feed.applied(10)
    given = ("offsets", "reset", "counting", "--topic", "payment", "--partition", "0", "--to", "4")
    dry = await payrouter(*given)
    assert "nothing was changed; --yes does it" in dry.out
    assert (await feed.fences())[0].next_offset == 10
    done = await payrouter(*given, "--yes", "--json")
    (partition,) = done.json["partitions"]
    assert (partition["was"], partition["to"], partition["end"]) == (10, 4, 10)
    fence = (await feed.fences())[0]
    assert (fence.first_offset, fence.next_offset, fence.last) == (4, 4, None)
    async with feed.engine.connect() as connection:
        (did,) = await list_operations(connection, TABLES)
    assert (did.what, '"was": 10' in did.detail) == ("offsets reset", True)


@pytest.mark.parametrize("pruned", [True, False])
async def test_reset_to_before_stored_event_ids_is_refused_unless_forced(
    feed: Feed, payrouter: Payrouter, *, pruned: bool
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member():
        await feed.applied(10)
    if pruned:
        later = datetime.now(UTC) + timedelta(minutes=1)
        async with feed.engine.begin() as connection:
            await connection.execute(update(TABLES.memory).values(pruned_before=later))
    else:
        await asyncio.sleep(1)
        payrouter.configure("[consumers.counting]\nremember_days = 0.00001")
    given = ("offsets", "reset", "counting", "--topic", "payment", *EARLIEST)
    refused = await payrouter(*given)
    assert refused.status == 1
    assert "could be applied a second time" in refused.err
    assert (await feed.fences())[0].next_offset == 10
    assert (await payrouter(*given, "--force")).status == 0
    assert (await feed.fences())[0].next_offset == 0


async def test_halted_partition_resumes_after_the_command_in_its_error(
    feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send(map(numbered, range(5)))
    partition = feed.partition(0)
    async with feed.engine.begin() as connection:
        await begin_fences(connection, TABLES, await feed.cluster_id(), {partition: 0})
    await set_fence(feed.engine, partition, next_offset=1000, gaps=1000)
    async with feed.member(beyond_end_seconds=0) as process:
        said = await halted(process, "the log ends at 5")
        command = said.split("`")[3]
        assert command == (
            f"payrouter offsets reset counting --topic {feed.topic} --partition 0 --to earliest"
        )
        await asyncio.sleep(1.5)
        assert (await payrouter(*command.split()[1:], "--yes")).status == 0
        await feed.applied(5)
        await ready(process)
    await applied_but(feed, of=5)


async def test_forward_reset_skips_the_records_in_between(feed: Feed, payrouter: Payrouter) -> None:
    await feed.send(map(numbered, range(10)))
    latest = ("offsets", "reset", "counting", "--topic", "payment", "--to", "latest", "--yes")
    assert (await payrouter(*latest)).status == 0
    async with feed.member():
        await feed.send([numbered(10)])
        await feed.applied(1)
    await applied_but(feed, *range(10), of=11)


@pytest.mark.parametrize(
    ("given", "status", "problem"),
    [
        (("payment", "--to", "yesterday"), 2, "neither earliest, latest nor an offset"),
        (("payment", "--to", "5"), 1, "holds 0 to 0, and not 5"),
        (("payment", "--partition", "9", "--to", "latest"), 1, "the broker has no"),
    ],
)
async def test_impossible_reset_is_refused_in_one_line(
    payrouter: Payrouter, given: tuple[str, ...], status: int, problem: str
) -> None:
    said = await payrouter("offsets", "reset", "counting", "--topic", *given)
    assert said.status == status
    assert problem in said.err


@pytest.mark.kafka
async def test_missing_topic_is_refused(payrouter: Payrouter) -> None:
    said = await payrouter("offsets", "reset", "counting", "--topic", "nope", "--to", "latest")
    assert (said.status, said.err) == (1, "payrouter: the broker has no topic nope\n")
