"""A record that cannot be applied is held with its whole origin; all around it is applied."""

import json
from datetime import UTC, datetime

import pytest

from consumers.runtime.service import Poison
from router.contract.wire import Headers
from tests.consumers.runtime.counting import brake_of, counts_of, held_in, id_of, numbered, written
from tests.consumers.runtime.members import Feed, ready
from tests.consumers.runtime.told import (
    applied_but,
    headers_of,
    held,
    holds,
    letters,
    metric,
    origin,
    passed,
    published,
    refusing,
)
from tests.consumers.runtime.unreadable import send_unreadable


@pytest.mark.parametrize(
    ("value", "headers", "problem"),
    [
        (b"{truncated", [], "the value is"),
        (None, [("null", None), ("bytes", b"\xff\xfe"), ("bytes", b"")], "the record has no value"),
        (b"{}", [], "id: Field required"),
        (b"x" * 1024 * 1024, [], "the value is"),
        (written(numbered(99)).value, [("ce_dataschema", b"\xff")], "names no schema"),
    ],
    ids=["truncated", "null", "no event", "1 MiB", "wrong schema"],
)
async def test_a_record_that_is_no_event_is_dead_byte_for_byte_and_all_around_it_applied(
    feed: Feed, value: bytes | None, headers: Headers, problem: str
) -> None:
    await feed.send(map(numbered, range(5)))
    await feed.send_raw(value, headers=headers, key=None)
    await feed.send(map(numbered, range(5, 10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    for _ in range(2):  # a restart does not hold it twice
        async with feed.member() as process:
            await feed.applied(20)
            await published(feed)
            await ready(process)
    await applied_but(feed, of=20)
    (row,) = await held_in(feed.engine)
    assert (row.state, row.reason, row.attempts) == ("dead", "unreadable", 1)
    assert (row.topic, row.partition, row.offset) == (feed.topic, 0, 5)
    assert (row.key, row.value, headers_of(row)) == (None, value, list(headers))
    assert problem in row.error
    (letter,) = await letters(feed, 1)
    assert (letter.key, letter.value) == (None, value)
    assert list(letter.headers)[: len(headers)] == list(headers)
    assert origin(letter)["origin-offset"] == "5"
    assert (await feed.fences())[0].next_offset == 11
    assert sum(each.dead_lettered for each in await counts_of(feed.engine)) == 1


async def test_a_key_of_a_megabyte_is_no_trouble(feed: Feed) -> None:
    key = b"k" * 1024 * 1024
    out = written(numbered(1))
    for number in (1, 2):
        value = written(numbered(number)).value
        await feed.send_raw(value, key=key)
    await feed.send_raw(out.value[:-1], key=key)
    async with feed.member(refusing(1), attempts=2):
        await feed.applied(1)
        await holds(feed, "dead", 2)
    assert await held(feed, "dead") == [(0, 0, "exhausted"), (0, 2, "unreadable")]


async def test_a_conflict_is_dead_the_original_stands_and_the_brake_is_untouched(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(5)))
    await feed.send([numbered(3, amount="1.00"), numbered(5)])
    # In one batch with its original, and often enough for the brake.
    await feed.send([numbered(6)], partition=1)
    await feed.send([numbered(6, amount=f"{n}.00") for n in range(1, 6)], partition=1)
    await feed.send([numbered(7)], partition=1)
    async with feed.member(brake_after=3) as process:
        await feed.applied(8)
        await published(feed)
        await ready(process)
        assert metric(process, "payrouter_conflicts_total") == 6
    await applied_but(feed, of=8)
    assert await held(feed, "dead") == [
        (0, 5, "conflict"),
        *((1, offset, "conflict") for offset in range(1, 6)),
    ]
    row = (await held_in(feed.engine))[0]
    assert '"2000"' in row.error
    assert json.loads(row.value)["amount"] == "1.00"
    assert (await brake_of(feed.engine)).streak == 0


async def test_one_poison_among_ten_thousand_is_dead_with_its_whole_origin(feed: Feed) -> None:
    poison, began = numbered(6789), datetime.now(UTC)
    out = written(poison, feed.topic)
    for number in range(10_000):
        made = written(numbered(number), feed.topic)
        await feed.producer.send(
            feed.topic, made.value, made.key, partition=number % 4, headers=list(made.headers)
        )
    await feed.producer.flush()
    async with feed.member(refusing(6789, error=Poison)) as process:
        await feed.applied(9_999)
        await published(feed)
        await ready(process)
    await applied_but(feed, 6789, of=10_000)
    (row,) = await held_in(feed.engine)
    assert (row.state, row.reason, row.event_id) == ("dead", "poison", poison.id)
    (letter,) = await letters(feed, 1)
    assert (letter.key, letter.value) == (out.key, out.value)
    assert list(letter.headers)[: len(out.headers)] == list(out.headers)
    said = origin(letter)
    first, last = (datetime.fromisoformat(said.pop(f"{n}-failure")) for n in ("first", "last"))
    assert began <= first <= last <= datetime.now(UTC)
    assert said == {
        "origin-topic": feed.topic,
        "origin-partition": "1",
        "origin-offset": "1697",
        "origin-timestamp": str(row.timestamp),
        "consumer": "counting",
        "reason": "poison",
        "attempts": "1",
        "exception": "Poison: not this one",
    }


async def test_a_record_the_client_cannot_read_is_dead_by_its_place_and_costs_no_neighbour(
    feed: Feed,
) -> None:
    await feed.send(map(numbered, range(40)), partition=1)
    values = [written(numbered(number)).value for number in range(40, 46)]
    await send_unreadable(feed.producer, feed.topic, 0, values)
    await feed.send([numbered(46)])
    await feed.send(map(numbered, range(47, 60)), partition=2)
    for _ in range(2):
        async with feed.member(batch_records=20) as process:
            await feed.applied(59)
            await passed(feed, 0, 7)
            await ready(process)
            await published(feed)
    await applied_but(feed, 45, of=60)
    (row,) = await held_in(feed.engine)
    assert (row.state, row.reason) == ("dead", "unfetchable")
    assert (row.partition, row.offset, row.value) == (0, 5, None)
    assert "UnicodeDecodeError" in row.error
    (letter,) = await letters(feed, 1)
    assert (letter.value, origin(letter)["origin-offset"]) == (None, "5")
    assert len(feed.logged("record_unfetchable")) == 1


async def test_a_log_that_ends_in_a_record_the_client_cannot_read_is_no_loop(feed: Feed) -> None:
    async with feed.member(batch_records=5) as process:
        await ready(process)
        for number in range(0, 40, 4):
            for partition in (1, 2, 3):
                await feed.send([numbered(number + partition)], partition)
            if number == 20:
                await send_unreadable(feed.producer, feed.topic, 0, [b"nothing"])
        await feed.applied(30)
        await passed(feed, 0, 1)
        await ready(process)
    for _ in range(2):  # nothing is compared with what nobody can read
        async with feed.member() as process:
            await ready(process)
    await applied_but(feed, *range(0, 40, 4), of=40)
    assert await held(feed, "dead") == [(0, 0, "unfetchable")]
    assert len(feed.logged("record_unfetchable")) == 1


@pytest.mark.parametrize("batch_records", [500, 3])
async def test_a_record_the_handler_cannot_take_is_parked_and_applied_when_it_can(
    feed: Feed, batch_records: int
) -> None:
    await feed.send(map(numbered, range(10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    async with feed.member(refusing(7), batch_records=batch_records, park_seconds=60):
        await feed.applied(19)
        (row,) = await holds(feed, "parked", 1)
        assert (row.reason, row.error) == ("failed", "ValueError: not this one")
        assert (row.event_id, row.attempts) == (id_of(7), 1)
    await applied_but(feed, 7, of=20)
    assert (await feed.fences())[0].next_offset == 10
