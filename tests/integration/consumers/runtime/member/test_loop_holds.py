"""A record that cannot be applied is held with its origin; all others are applied."""

from datetime import UTC, datetime

import pytest

from consumers.runtime.service import Poison
from tests.parts.runtime.counting import held_in, id_of, numbered, written
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import (
    applied_but,
    headers_of,
    held,
    holds,
    letters,
    origin,
    published,
    refusing,
)


async def test_key_of_a_megabyte_works(feed: Feed) -> None:
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


async def test_one_poison_record_among_ten_thousand_is_dead_with_its_origin(feed: Feed) -> None:
    poison, began = numbered(6789), datetime.now(UTC)
    out = written(poison, feed.topic)
    headers = [*out.headers, ("twice", b"\xff"), ("twice", None), ("twice", b"")]
    for number in range(10_000):
        made = written(numbered(number), feed.topic)
        extra = headers if number == 6789 else list(made.headers)
        await feed.producer.send(
            feed.topic, made.value, made.key, partition=number % 4, headers=extra
        )
    await feed.producer.flush()
    async with feed.member(refusing(6789, error=Poison)) as process:
        await feed.applied(9_999)
        await published(feed)
        await ready(process)
    await applied_but(feed, 6789, of=10_000)
    (row,) = await held_in(feed.engine)
    assert (row.state, row.reason, row.event_id) == ("dead", "poison", poison.id)
    assert (row.topic, row.partition, row.offset, row.attempts) == (feed.topic, 1, 1697, 1)
    assert (row.key, row.value, headers_of(row)) == (out.key, out.value, headers)
    assert row.error == "Poison: not this one"
    (letter,) = await letters(feed, 1)
    assert (letter.key, letter.value) == (out.key, out.value)
    assert list(letter.headers)[: len(headers)] == headers
    assert len(letter.headers) == len(headers) + 11
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
        "exception-class": "Poison",
        "exception-message": "not this one",
    }


@pytest.mark.parametrize("batch_records", [500, 3])
async def test_record_the_handler_fails_on_is_parked_and_applied_later(
    feed: Feed, batch_records: int
) -> None:
    await feed.send(map(numbered, range(10)))
    await feed.send(map(numbered, range(10, 20)), partition=1)
    patient = {"park_seconds": 60, "park_longest_seconds": 60}
    async with feed.member(refusing(7), batch_records=batch_records, **patient):
        await feed.applied(19)
        (row,) = await holds(feed, "parked", 1)
        assert (row.reason, row.error) == ("failed", "ValueError: not this one")
        assert (row.event_id, row.attempts) == (id_of(7), 1)
    await applied_but(feed, 7, of=20)
    assert (await feed.fences())[0].next_offset == 10
