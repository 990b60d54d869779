"""Commands on held records (list, show, retry, replay), and on the brake."""

import base64
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from consumers.runtime.apply.brake import lock_brakes, pull_brake, release_command
from consumers.runtime.commands.actions.held_admin import Operation, list_operations, spans
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import (
    SERVICE,
    TABLES,
    effects_of,
    held_in,
    id_of,
    numbered,
    written,
)
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import applied_but, holds, published, refusing


async def operations(feed: Feed) -> Sequence[Operation]:
    async with feed.engine.connect() as connection:
        return await list_operations(connection, TABLES)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([5, 3, 4], "3-5"), ([1, 2, 4, 9, 10], "1-2, 4, 9-10")],
)
def test_numbers_are_abbreviated(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


async def with_dead(feed: Feed, *numbers: int, of: int) -> None:
    """Run a consumer for which some of the events are dead."""
    await feed.send(map(numbered, range(of)))
    async with feed.member(refusing(*numbers), attempts=1):
        await holds(feed, "dead", len(numbers))
        await feed.applied(of - len(numbers))
        await published(feed)


async def test_dead_records_are_listed_and_shown_completely(
    feed: Feed, payrouter: Payrouter
) -> None:
    await with_dead(feed, 2, 4, of=6)
    listed = (await payrouter("dlq", "list", "counting", "--json")).json
    assert [(row["offset"], row["event_id"]) for row in listed] == [
        (2, str(id_of(2))),
        (4, str(id_of(4))),
    ]
    table = await payrouter("dlq", "list", "counting")
    assert str(id_of(4)) in table.out
    assert "ValueError: not this one" in table.out
    number = str(listed[0]["id"])
    shown = (await payrouter("dlq", "show", "counting", number, "--json")).json
    assert base64.b64decode(shown["value"]) == written(numbered(2)).value
    assert shown["value_text"] == base64.b64decode(shown["value"]).decode()
    people = (await payrouter("dlq", "show", "counting", number)).out
    assert number in people
    assert "value (text)" in people
    assert shown["value_text"] in people
    missing = await payrouter("dlq", "show", "counting", "99999")
    assert (missing.status, missing.err) == (1, "payrouter: counting holds no record 99999\n")


async def test_filters_select_records(feed: Feed, payrouter: Payrouter) -> None:
    await with_dead(feed, 1, 2, 3, of=5)

    async def offsets(*filters: str) -> list[int]:
        said = await payrouter("dlq", "list", "counting", "--json", *filters)
        return [row["offset"] for row in said.json]

    numbers = [str(row.id) for row in await held_in(feed.engine)]
    assert await offsets("--id", numbers[0], "--id", numbers[2]) == [1, 3]
    assert await offsets("--event", str(id_of(2))) == [2]
    assert await offsets("--reason", "exhausted") == [1, 2, 3]
    assert await offsets("--reason", "poison") == []
    assert await offsets("--topic", feed.topic) == [1, 2, 3]
    assert await offsets("--topic", "another") == []
    assert await offsets("--since", "2020-01-01") == [1, 2, 3]
    assert await offsets("--since", "2999-01-01") == []
    assert await offsets("--limit", "2") == [1, 2]


async def test_replay_is_a_dry_run_first_and_two_replays_apply_once(
    feed: Feed, payrouter: Payrouter
) -> None:
    await with_dead(feed, 2, 4, of=6)
    dry = await payrouter("dlq", "replay", "counting")
    assert dry.status == 0
    assert "2 records would be tried again; --yes does it" in dry.out
    assert await operations(feed) == []
    began = datetime.now(UTC)
    numbers = [row.id for row in await held_in(feed.engine, "dead")]
    async with feed.member():
        done = await payrouter("dlq", "replay", "counting", "--yes", "--json")
        assert (done.status, done.json) == (0, {"replayed": 2, "outcomes": {"applied": 2}})
        # Again, by an operator who resets the rows manually.
        async with feed.engine.begin() as connection:
            await connection.execute(TABLES.held.update().values(state="dead"))
        again = await payrouter("dlq", "replay", "counting", "--yes", "--rate", "5")
        assert (again.status, again.out) == (0, "2 records replayed: 2 duplicate\n")
    await applied_but(feed, of=6)
    first, second = await operations(feed)
    assert first.who.startswith(f"{getpass.getuser()}@")
    assert (first.what, first.detail) == (
        "dlq replay",
        f'2 records: {spans(numbers)}; filter {{"limit": 1000}}',
    )
    assert began <= first.at <= second.at <= datetime.now(UTC)
    history = (await payrouter("dlq", "history", "counting", "--json")).json
    assert history == [first.as_json(), second.as_json()]
    last = (await payrouter("dlq", "history", "counting", "--json", "--limit", "1")).json
    assert last == [second.as_json()]
    shown = (await payrouter("dlq", "history", "counting")).out
    assert first.who in shown
    assert f"2 records: {spans(numbers)};" in shown


async def test_replay_of_a_record_that_still_fails_exits_with_an_error(
    feed: Feed, payrouter: Payrouter
) -> None:
    await with_dead(feed, 2, 4, of=6)
    async with feed.member(refusing(2), attempts=1):
        said = await payrouter("dlq", "replay", "counting", "--yes", "--json")
        assert (said.status, said.json["outcomes"]) == (1, {"applied": 1, "dead": 1})
    await applied_but(feed, 2, of=6)


async def test_replay_without_a_running_consumer_reports_it(
    feed: Feed, payrouter: Payrouter
) -> None:
    await with_dead(feed, 2, of=3)
    said = await payrouter("dlq", "replay", "counting", "--yes", "--wait", "0.5")
    assert (said.status, said.out) == (1, "1 records replayed: 1 replayed\n")
    async with feed.member():
        await feed.applied(3)


async def test_parked_records_are_listed_and_retried_at_once(
    feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send(map(numbered, range(3)))
    async with feed.member(refusing(1), park_seconds=3600, park_longest_seconds=3600):
        await holds(feed, "parked", 1)
    async with feed.member() as process:
        await ready(process)
        (row,) = (await payrouter("parked", "list", "counting", "--json")).json
        assert (row["offset"], row["reason"]) == (1, "failed")
        assert "failed" in (await payrouter("parked", "list", "counting")).out
        assert len(await effects_of(feed.engine)) == 2
        said = await payrouter("parked", "retry", "counting", "--event", str(id_of(1)))
        assert said.out == "1 parked records are due now\n"
        await feed.applied(3)
    (done,) = await operations(feed)
    assert (done.what, done.detail[:12]) == ("parked retry", f"1 records: {row['id']}"[:12])
    assert (await payrouter("parked", "retry", "counting", "--json")).json == {"due": 0}


async def test_the_brake_is_shown_and_cleared_by_commands(feed: Feed, payrouter: Payrouter) -> None:
    off = await payrouter("brake", "show", "counting")
    assert (off.status, off.out) == (0, "no brake holds, no record has failed\n")
    for number in range(4):
        await feed.send_raw(b"no event", key=str(number).encode())
    async with feed.member(brake_after=3) as process:
        await halted(process, "has been on since")
        shown = await payrouter("brake", "show", "counting", "--json")
        (row,) = shown.json
        assert (shown.status, row["held"], row["streak"]) == (1, True, 3)
        assert row["topic"] == feed.topic
        other = await payrouter("brake", "clear", "counting", "--topic", "no-such")
        assert (other.status, "reads" in other.err) == (2, True)
        assert "has been on since" in (await payrouter("brake", "show", "counting")).out
        cleared = await payrouter("brake", "clear", "counting", "--topic", feed.topic)
        assert (cleared.status, cleared.out[:8]) == (0, "cleared;")
        await holds(feed, "dead", 4)
        await ready(process)
    assert (await payrouter("brake", "clear", "counting")).out == "no brake held\n"
    (row,) = (await payrouter("brake", "show", "counting", "--json")).json
    assert (row["held"], row["streak"]) == (False, 0)


async def test_brake_of_a_renamed_topic_is_cleared_by_the_named_command(
    feed: Feed, payrouter: Payrouter
) -> None:
    async with feed.engine.begin() as transaction:
        await lock_brakes(transaction, TABLES, ["renamed"])
        await pull_brake(transaction, TABLES, "renamed", 20, "renamed-0 offset 7: no event")
    async with feed.member() as process:
        await halted(process, "payrouter brake clear counting --topic renamed")
        command = release_command("counting", ["renamed"]).split()
        assert command[0] == "payrouter"
        assert (await payrouter(*command[1:])).status == 0
        await ready(process)


@pytest.mark.parametrize("command", [("dlq", "list"), ("parked", "list"), ("brake", "show")])
async def test_unknown_consumer_is_a_usage_error(
    payrouter: Payrouter, command: tuple[str, str]
) -> None:
    said = await payrouter(*command, "countin")
    assert said.status == 2
    assert f"there is no consumer countin; there are {SERVICE.name}" in said.err


@pytest.mark.kafka
async def test_dead_letter_topics_are_created_with_the_others(
    feed: Feed, payrouter: Payrouter
) -> None:
    made = (await payrouter("topics", "apply", "--json")).json
    assert {each["topic"]: each["result"] for each in made}[feed.dead_letters] == "there"
