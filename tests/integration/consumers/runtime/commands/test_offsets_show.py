"""`payrouter offsets show` reports whether a consumer makes progress, and what blocks it."""

import io
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from consumers.runtime.apply.offsets import FenceRow, begin_fences
from consumers.runtime.commands.actions.offsets import OffsetsView, show_offsets
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.picture import Behind
from consumers.runtime.progress.screen import show_standings
from consumers.runtime.progress.standing import ProgressState, Standing
from consumers.runtime.progress.survey import SurveyLimits
from consumers.runtime.records import Partition
from consumers.runtime.store.tables import RuntimeTables
from router.broker.log.bounds import LogBounds
from tests.parts.runtime.child import child
from tests.parts.runtime.commands import Payrouter, Said, called
from tests.parts.runtime.counting import SERVICE, numbered
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import refusing
from tests.parts.runtime.transactions import put, transacting
from tests.parts.waiting import eventually

TABLES = RuntimeTables.of(SERVICE.schema)


async def shown(payrouter: Payrouter, *more: str) -> tuple[Said, list[dict[str, Any]]]:
    """Run the command; return its result and its JSON output."""
    said = await payrouter("offsets", "show", "counting", "--json", *more)
    return said, said.json["counting"]


async def states(payrouter: Payrouter, *more: str) -> list[str]:
    """Return the states of the four partitions."""
    return [row["state"] for row in (await shown(payrouter, *more))[1]]


def cells(said: Said, feed: Feed, partition: int = 0) -> list[str]:
    """Return the row of a partition, cell by cell."""
    name = str(feed.partition(partition))
    (line,) = [line for line in said.out.splitlines() if line.startswith(f"{name} ")]
    return line.split()


@pytest.mark.kafka
async def test_a_frozen_consumer_is_stuck_until_it_resumes(
    feed: Feed, payrouter: Payrouter
) -> None:
    payrouter.configure(f'[consumers.counting]\ngroup_id = "{feed.group}"')
    async with AsyncExitStack() as stack:
        consumer = await stack.enter_async_context(child(feed))
        await feed.send(map(numbered, range(3)))
        await feed.applied(3)
        healthy = await payrouter("offsets", "show", "counting")
        assert healthy.status == 0
        assert cells(healthy, feed)[1:4] == ["3", "3", "0"]
        assert "moving" in cells(healthy, feed)
        assert "127.0.0.1" in cells(healthy, feed)
        assert "3 partitions are idle: nothing waits there; --all shows them" in healthy.out
        consumer.freeze()
        await feed.send(map(numbered, range(3, 5)))
        seen = set()

        async def stuck() -> bool:
            seen.add((await states(payrouter, "--stuck-after", "0.5"))[0])
            return "stuck" in seen

        await eventually(stuck, f"stuck: {seen}")
        said = await payrouter("offsets", "show", "counting", "--stuck-after", "0.5")
        assert said.status == 1
        assert cells(said, feed)[1:4] == ["3", "5", "2"]
        assert "stuck: a record waits, and nothing was applied" in said.out
        consumer.thaw()
        await feed.applied(5)
        assert await consumer.stop() == 0


@pytest.mark.kafka
async def test_without_time_for_the_first_records_only_their_times_are_unknown(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(2)))
    at_once = SurveyLimits(first_records_seconds=-1)
    view = OffsetsView(every=False, counts=False, stuck_after=30.0, limits=at_once)
    consumers = [Consumer(feed.service, feed.settings())]
    said = await called(partial(show_offsets, consumers, view, as_json=True))
    rows = said.json["counting"]
    assert said.status == 1
    assert [row["lag"] for row in rows] == [2, 0, 0, 0]
    assert rows[0]["next_record_at"] is None
    assert "the first records of 1 partitions: no time left" in said.err


@pytest.mark.kafka
async def test_the_rows_of_a_cluster_consumed_before_have_the_shape_of_the_others(
    feed: Feed, payrouter: Payrouter
) -> None:
    async with feed.engine.begin() as connection:
        await begin_fences(connection, TABLES, "one-before", {feed.partition(0): 7})
    said, rows = await shown(payrouter)
    assert rows[0]["cluster_id"] == "one-before"
    assert len(rows) == 5
    assert len({frozenset(row) for row in rows}) == 1
    assert (rows[0]["next_offset"], rows[0]["state"], rows[0]["trouble"]) == (7, "?", False)
    assert said.status == 1


@pytest.mark.kafka
async def test_an_open_transaction_is_named_and_counted(feed: Feed, payrouter: Payrouter) -> None:
    payrouter.configure(f'[consumers.counting]\ngroup_id = "{feed.group}"')
    payrouter.configure("open_transaction_seconds = 0.1")
    async with feed.member() as process, transacting(feed) as producer:
        await ready(process)
        await feed.send([numbered(0)])
        await feed.applied(1)
        await put(feed, producer, numbered(1))
        await feed.send(map(numbered, range(2, 5)))

        async def in_trouble() -> bool:
            return (await shown(payrouter))[0].status == 1

        await eventually(in_trouble, "trouble")
        _, rows = await shown(payrouter)
        row = rows[0]
        assert (row["next_offset"], row["stable"], row["end"]) == (1, 1, 5)
        assert (row["lag"], row["readable_lag"], row["withheld"]) == (4, 0, 4)
        assert (row["state"], row["trouble"]) == ("withheld", True)
        assert [each["state"] for each in rows[1:]] == ["idle"] * 3
        said = await payrouter("offsets", "show", "counting")
        assert (
            "withheld: another producer's open transaction withholds the next records\n" in said.out
        )
        await producer.commit_transaction()
        await feed.applied(5)
        # The marker after the last record is in the lag, but no record is left to apply.
        said, rows = await shown(payrouter, "--stuck-after", "0")
        assert (said.status, rows[0]["state"], rows[0]["lag"]) == (0, "idle", 1)


@pytest.mark.kafka
async def test_a_log_that_does_not_fit_its_fence_and_a_brake_are_states(
    feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send(map(numbered, range(2)))
    async with feed.member(refusing(1), park_seconds=600, brake_after=1):

        async def braked() -> bool:
            return "braked" in await states(payrouter)

        await eventually(braked, "the brake")
    async with feed.engine.begin() as connection:
        await connection.execute(TABLES.brake.update().values(streak=0, held_since=None))
        offset = TABLES.fence.c
        await connection.execute(
            TABLES.fence.update()
            .where(offset.partition == 0)
            .values(next_offset=offset.next_offset + 100, gaps=offset.gaps + 100)
        )
    said, rows = await shown(payrouter)
    assert said.status == 1
    assert [row["state"] for row in rows] == ["beyond end", *["no member"] * 3]


async def test_without_an_answer_of_the_broker_its_values_are_unknown_and_the_store_is_shown(
    feed: Feed, payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.send(map(numbered, range(2)))
    async with feed.member():
        await feed.applied(2)
    monkeypatch.setenv("PAYROUTER_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    said = await payrouter("offsets", "show", "counting")
    assert said.status == 1
    assert cells(said, feed)[1:6] == ["2", "?", "?", "?", "?"]
    assert said.err.startswith("the broker could not be queried, its part is ?: ")
    assert said.err.count("\n") == 1


async def test_counts_of_the_outcomes_of_the_records(feed: Feed, payrouter: Payrouter) -> None:
    await feed.send(map(numbered, [0, 1, 1]))
    async with feed.member():
        await feed.applied(2)

        async def passed() -> bool:
            return (await feed.fences())[0].next_offset == 3

        await eventually(passed, "all of it passed")
        said = await payrouter("offsets", "show", "counting", "--counts")
    assert cells(said, feed)[:3] == [str(feed.partition(0)), "3", "2"]


def test_a_row_of_long_names_and_numbers_fits_80_columns() -> None:
    now = datetime.now(UTC)
    row = FenceRow("c", "subscription", 119, 0, 12_345_678, 12_345_678, 0, 0, 0, 0, 0, now)
    standing = Standing(
        "lkc-8a7d6e",
        Partition("subscription", 119),
        row,
        LogBounds(0, 12_345_678, 99_345_678),
        Behind(87_000_000, 0, 0.0, 0, 0.0),
        "payrouter-notifications-12",
        ProgressState.BEFORE_START,
        trouble=True,
    )
    console = Console(width=80, record=True, file=io.StringIO())
    show_standings(console, "notifications", [standing], idle_too=False)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    for number in ("12345678", "99345678", "87000000"):
        assert any(number in line for line in lines)
