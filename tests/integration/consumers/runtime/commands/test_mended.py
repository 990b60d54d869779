"""A halt names the command that resolves it; after it the consumer continues by itself."""

import re
import shlex
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from consumers.runtime.apply import process as applying
from consumers.runtime.member.app import ConsumerProcess
from consumers.runtime.store.schema_version import SchemaOutdated
from router.contract.wire import decode_event
from tests.integration.consumers.runtime.member.test_loop_halts import MAJOR_2, halted_for
from tests.integration.consumers.runtime.member.test_loop_positions import (
    apply_ten,
    delete_before,
    recreate,
)
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import counts_of, numbered, set_fence, written
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import applied_but
from tests.parts.waiting import eventually

Happening = Callable[[Feed], Awaitable[None]]


def resets(said: str) -> list[list[str]]:
    """Return the commands that set a fence, from the text of /readyz."""
    found = re.findall(r"`payrouter (offsets reset [^`]+)`", said)
    assert found, said
    return [shlex.split(each) for each in found]


async def mend(payrouter: Payrouter, process: ConsumerProcess, said: str) -> None:
    """Run the named commands, first as a dry run, then for real; the consumer continues."""
    for command in resets(said):
        dry = await payrouter(*command)
        assert (dry.status, "nothing was changed" in dry.out) == (0, True), dry.err
        assert "halted" in process.ready().detail
        done = await payrouter(*command, "--yes")
        assert done.status == 0, done.err
    await ready(process)


async def made_anew(feed: Feed, number: int) -> None:
    """Recreate the topic with so many new records."""
    await recreate(feed)
    await feed.send(map(numbered, range(10, 10 + number)))


async def forget_ids(feed: Feed) -> None:
    """Make fences as stored before topic ids existed; only offsets and records can differ."""
    for number in range(4):
        await set_fence(feed.engine, feed.partition(number), topic_id=None)


async def past_retention(feed: Feed) -> None:
    await feed.send(map(numbered, range(10, 20)))
    await delete_before(feed, 14)


@pytest.mark.kafka
@pytest.mark.parametrize("number", [10, 200])
async def test_topic_recreated_and_filled_under_a_running_consumer_halts(
    feed: Feed, payrouter: Payrouter, number: int
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        await made_anew(feed, number)
        await halted(process, "was deleted and recreated")
        await eventually(lambda: process.ready().detail.count(" halted:") == 4, "four halts")
        await mend(payrouter, process, process.ready().detail)
        await feed.applied(10 + number)
    await applied_but(feed, of=10 + number)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("happening", "reason", "said", "effects"),
    [
        (lambda feed: made_anew(feed, 0), "beyond_end", "the log ends at 0", 10),
        (lambda feed: made_anew(feed, 5), "beyond_end", "the log ends at 5", 15),
        (lambda feed: made_anew(feed, 10), "other_record", "offset 9 has a different record", 20),
        (lambda feed: made_anew(feed, 15), "other_record", "offset 9 has a different record", 25),
        (past_retention, "before_start", "4 offsets were deleted", 16),
    ],
    ids=["empty", "shorter", "as long", "longer", "past retention"],
)
async def test_halt_of_a_replaced_log_is_resolved_by_the_named_command(
    feed: Feed, payrouter: Payrouter, happening: Happening, reason: str, said: str, effects: int
) -> None:
    await apply_ten(feed)
    await forget_ids(feed)
    await happening(feed)
    async with feed.member() as process:
        whole = await halted(process, said)
        assert halted_for(process, feed, reason) == 1
        await mend(payrouter, process, whole)
        await feed.applied(effects)
        assert halted_for(process, feed, reason) == 0
        await feed.send([numbered(30)])
        await feed.applied(effects + 1)
    lost = [*range(10, 14), *range(20, 30)] if reason == "before_start" else range(effects, 30)
    await applied_but(feed, *lost, of=31)


async def test_halt_of_a_too_new_version_is_resolved_by_the_named_upgrade(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.send(map(numbered, range(5)))
    await feed.send_raw(written(numbered(5)).value, headers=MAJOR_2)
    await feed.send([numbered(6)])
    async with feed.member() as process:
        said = await halted(process, "offset 5: schema version 2.0")
        assert "Upgrade payrouter, then start `payrouter consume counting` again." in said
    # The later version reads both.
    monkeypatch.setattr(applying, "decode_event", lambda value, _headers: decode_event(value, []))
    async with feed.member() as process:
        await feed.applied(7)
        await ready(process)
    await applied_but(feed, of=7)


@pytest.mark.parametrize("running", [True, False])
async def test_emptied_database_is_set_up_by_the_named_command_and_refilled(
    feed: Feed, payrouter: Payrouter, *, running: bool
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        if running:
            await drop(feed)
            await feed.send(map(numbered, range(10, 20)))
            said = await halted(process, "run `payrouter db upgrade`")
            assert "halted" not in said
            assert process.alive().good
            assert (await payrouter("db", "upgrade")).status == 0
            await feed.applied(20)
            await ready(process)
    if not running:
        await drop(feed)
        with pytest.raises(SchemaOutdated, match="run `payrouter db upgrade`"):
            async with feed.member():
                await feed.send(map(numbered, range(10, 20)))
        assert (await payrouter("db", "upgrade")).status == 0
        async with feed.member():
            await feed.applied(20)
    await applied_but(feed, of=20)


@pytest.mark.parametrize("running", [True, False])
async def test_deleted_fences_start_again_without_a_second_effect(
    feed: Feed, *, running: bool
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        if running:
            await truncate(feed)
            await eventually(lambda: _duplicates(feed, 10), "all ten read again")
            await ready(process)
    if not running:
        await truncate(feed)
    async with feed.member():
        await feed.send(map(numbered, range(10, 15)))
        await feed.applied(15)
    await applied_but(feed, of=15)
    assert {n: fence.next_offset for n, fence in (await feed.fences()).items()}[0] == 15


async def _duplicates(feed: Feed, number: int) -> bool:
    return sum(row.duplicate for row in await counts_of(feed.engine)) == number


async def drop(feed: Feed) -> None:
    async with feed.engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA counting CASCADE"))


async def truncate(feed: Feed) -> None:
    async with feed.engine.begin() as connection:
        await connection.execute(text("TRUNCATE counting.fence"))
