"""Any record in a log is either applied or dead, unchanged, and all others are applied."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer

from consumers.runtime.member import client as runtime_client
from router.broker.log.reread import RereadRecords, reread_records
from router.contract.event import Event
from router.contract.wire import Headers
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import brake_of, counts_of, held_in, numbered, written
from tests.parts.runtime.members import Feed, halted, ready
from tests.parts.runtime.told import (
    applied_but,
    headers_of,
    held,
    holds,
    letters,
    metric,
    origin,
    passed,
    published,
)
from tests.parts.runtime.unreadable import MISNAMED, send_misnamed, spoil

MEGABYTE = 1024 * 1024
SOME = numbered(1000)
SCHEMA = "ce_dataschema"


@dataclass(frozen=True)
class Odd:
    """A record that no edge writes; without a `problem` it is still an event."""

    value: bytes | None
    headers: Headers = ()
    key: bytes | None = b"key"
    problem: str | None = None


def changed(number: int, **fields: object) -> bytes:
    """Encode an event with some fields replaced by the given JSON values."""
    return json.dumps({**json.loads(written(numbered(number)).value), **fields}).encode()


def doubled(number: int) -> bytes:
    return b'{"id":"1",' + written(numbered(number)).value[1:]


def unquoted(number: int, amount: str) -> bytes:
    return changed(number, amount="?").replace(b'"?"', amount.encode())


GOOD = [
    Odd(written(numbered(0)).value, key=None),
    Odd(written(numbered(1)).value, [(SCHEMA, None), ("null", None)]),
    Odd(written(numbered(2)).value, [("bytes", b"\xff\xfe"), ("", b"")]),
    Odd(written(numbered(3)).value, [("twice", b"1"), ("twice", b"2"), ("twice", None)]),
    Odd(written(numbered(4)).value, key=b"\xff" * 1000),
    Odd(changed(5, unknown="x" * MEGABYTE)),
    Odd(unquoted(6, "12.50")),
]

BAD = [
    Odd(None, problem="UndecodableRecord: the record has no value"),
    Odd(None, [("null", None), ("bytes", b"\xff\xfe"), ("bytes", b"")], None, "no value"),
    Odd(b"", problem="UndecodableRecord: the value is not JSON"),
    Odd(b"{truncated", problem="the value is not JSON"),
    Odd(written(SOME).value[:-1], written(SOME).headers, b"key", "the value is not JSON"),
    Odd(b"x" * MEGABYTE, key=None, problem="the value is not JSON"),
    Odd(b"\xff" * 100, problem="the value is not UTF-8"),
    Odd(b"{}", problem="id: Field required"),
    Odd(b"[1]", problem="expected a JSON object"),
    Odd(doubled(1000), problem="duplicate key"),
    Odd(b"[" * MEGABYTE, problem="nested deeper"),
    Odd(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, problem="nested deeper"),
    Odd(b"[[" * 20 + b'"' + b"\\n" * 500_000, problem="nested deeper"),
    Odd(unquoted(1000, "NaN"), problem="NaN is not JSON"),
    Odd(unquoted(1000, "-Infinity"), problem="-Infinity is not JSON"),
    Odd(unquoted(1000, "1e9999999999999999999"), problem="a number's exponent"),
    Odd(unquoted(1000, "1e400"), problem="amount: "),
    Odd(unquoted(1000, "1" * 100_000), problem="amount: "),
    Odd(changed(1000, amount="NaN"), problem="amount: "),
    Odd(changed(1000, amount=True), problem="amount: "),
    Odd(changed(1000, reference="nul\0"), problem="reference: "),
    Odd(written(SOME).value, [(SCHEMA, b"\xff")], problem="does not name a schema"),
]


def layout() -> Iterator[tuple[int, Odd | Event]]:
    """Spread the odd records over four partitions, with an event before and after each."""
    number = len(GOOD)
    for place, odd in enumerate([*GOOD, *BAD]):
        for record in (numbered(number), odd, numbered(number + 1)):
            yield place % 4, record
        number += 2


ALL = len(GOOD) + 2 * len([*GOOD, *BAD])


async def send(feed: Feed) -> dict[tuple[int, int], Odd]:
    """Send them to the topic; return the positions of those that are not events."""
    ends, bad = dict.fromkeys(range(4), 0), {}
    for partition, record in layout():
        if isinstance(record, Event):
            await feed.send([record], partition)
        else:
            await feed.send_raw(record.value, partition, record.headers, record.key)
            if record.problem is not None:
                bad[partition, ends[partition]] = record
        ends[partition] += 1
    return bad


async def test_every_odd_record_is_applied_or_dead_byte_for_byte_and_harms_no_other(
    feed: Feed,
) -> None:
    bad = await send(feed)
    for _ in range(2):  # a restart holds nothing twice
        async with feed.member() as process:
            await feed.applied(ALL)
            await holds(feed, "dead", len(BAD))
            await published(feed)
            await ready(process)
    await applied_but(feed, of=ALL)
    rows = await held_in(feed.engine)
    assert {(row.partition, row.offset) for row in rows} == bad.keys()
    for row in rows:
        odd = bad[row.partition, row.offset]
        assert (row.state, row.reason, row.attempts) == ("dead", "unreadable", 1)
        assert (row.key, row.value, headers_of(row)) == (odd.key, odd.value, list(odd.headers))
        assert odd.problem is not None
        assert odd.problem in row.error
        assert len(row.error) < 200
    for letter in await letters(feed, len(BAD)):
        said = origin(letter)
        odd = bad[int(said["origin-partition"]), int(said["origin-offset"])]
        assert (letter.key, letter.value) == (odd.key, odd.value)
        assert list(letter.headers)[: len(odd.headers)] == list(odd.headers)
        assert said["exception-class"] == "UndecodableRecord"
    assert sum(row.dead_lettered for row in await counts_of(feed.engine)) == len(BAD)
    assert (await brake_of(feed.engine)).streak == 0


@pytest.mark.parametrize("batch_records", [500, 2])
async def test_invalid_header_name_loses_no_event_of_its_batch(
    feed: Feed, batch_records: int
) -> None:
    await feed.send(map(numbered, range(10)))
    values = [written(numbered(number)).value for number in range(10, 16)]
    values[3] = b"no event"
    await send_misnamed(feed.producer, feed.topic, 0, values, misnamed=(1, 3, 5))
    await send_misnamed(feed.producer, feed.topic, 1, [written(numbered(20)).value])
    await feed.send(map(numbered, range(16, 20)))
    await feed.send(map(numbered, range(21, 30)), partition=2)
    for _ in range(2):  # the last applied record is recognized although its header name is broken
        async with feed.member(batch_records=batch_records) as process:
            await feed.applied(29)
            await passed(feed, 0, 20)
            await published(feed)
            await ready(process)
    await applied_but(feed, 13, of=30)
    (row,) = await held_in(feed.engine)
    assert (row.reason, row.offset, row.value) == ("unreadable", 13, b"no event")
    ((name, value),) = MISNAMED
    assert headers_of(row) == [(name, value)]
    # On the dead-letter topic the name is text, so that every client can read it.
    (letter,) = await letters(feed, 1)
    assert letter.headers[0] == (r"\xff\xfe\xfd\xfc-no-utf"[: len(letter.headers[0][0])], b"1")
    assert not feed.logged("record_unfetchable")


async def test_record_with_an_invalid_header_name_is_shown_and_replayed(
    feed: Feed, payrouter: Payrouter
) -> None:
    await send_misnamed(feed.producer, feed.topic, 0, [b"no event"])
    async with feed.member():
        (row,) = await holds(feed, "dead", 1)
        shown = await payrouter("dlq", "show", "counting", str(row.id), "--json")
        assert r"\xff\xfe" in shown.json["headers"][0][0]
        assert "xfe" in (await payrouter("dlq", "show", "counting", str(row.id))).out
        said = await payrouter("dlq", "replay", "counting", "--yes", "--json")
        assert said.json == {"replayed": 1, "outcomes": {"dead": 1}}


@pytest.mark.kafka
async def test_damaged_record_is_dead_by_its_offset_and_harms_no_other(
    feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send(map(numbered, range(10)), partition=1)
    await feed.send([numbered(10)])
    await feed.send_raw(b"to be damaged")
    await feed.send([numbered(11)])
    spoil(feed.broker, feed.partition(0), b"to be damaged")
    for _ in range(2):
        async with feed.member(batch_records=5) as process:
            await feed.applied(12)
            await passed(feed, 0, 3)
            await ready(process)
            await published(feed)
            said = await payrouter("dlq", "replay", "counting", "--yes", "--json")
            assert (said.status, said.json["replayed"]) == (0, 0)
    await applied_but(feed, of=12)
    (row,) = await held_in(feed.engine)
    assert (row.state, row.reason, row.partition, row.offset) == ("dead", "unfetchable", 0, 1)
    assert (row.key, row.value) == (None, None)
    assert row.error.startswith("CorruptRecordException: ")
    (letter,) = await letters(feed, 1)
    assert (letter.value, origin(letter)["origin-offset"]) == (None, "1")
    assert len(feed.logged("record_unfetchable")) == 1


@pytest.mark.kafka
async def test_log_that_ends_in_a_damaged_record_causes_no_loop(feed: Feed) -> None:
    async with feed.member(batch_records=5) as process:
        await ready(process)
        for number in range(0, 40, 4):
            for partition in (1, 2, 3):
                await feed.send([numbered(number + partition)], partition)
        await feed.applied(30)
    await feed.send_raw(b"to be damaged")
    spoil(feed.broker, feed.partition(0), b"to be damaged")
    for _ in range(2):  # an unreadable record is not compared
        async with feed.member() as process:
            await passed(feed, 0, 1)
            await ready(process)
    await applied_but(feed, *range(0, 40, 4), of=40)
    assert await held(feed, "dead") == [(0, 0, "unfetchable")]
    assert len(feed.logged("record_unfetchable")) == 1


@pytest.mark.kafka
async def test_applied_record_that_is_damaged_later_halts_only_its_partition(feed: Feed) -> None:
    await feed.send([numbered(0)], partition=1)
    await feed.send([numbered(1)])
    async with feed.member():
        await feed.applied(2)
    spoil(feed.broker, feed.partition(0), written(numbered(1)).value)
    await feed.send([numbered(2)])
    await feed.send([numbered(3)], partition=1)
    async with feed.member() as process:
        await feed.applied(3)
        await halted(process, "offset 0 was applied and can no longer be read")
    assert await held_in(feed.engine) == []
    await applied_but(feed, 2, of=4)


async def test_missing_codec_halts_the_partition_and_passes_nothing(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compressed(feed, [numbered(0), numbered(1)])
    await feed.send([numbered(2)])
    await feed.send([numbered(3)], partition=1)
    with monkeypatch.context() as without:
        without.setattr("aiokafka.codec.has_gzip", lambda: False)
        async with feed.member() as process:
            await feed.applied(1)
            said = await halted(process, "Install what is missing")
            assert "Libraries for gzip compression codec not found" in said
            where = {"topic": feed.topic, "partition": "0", "reason": "no_codec"}
            assert metric(process, "payrouter_partition_halted", **where) == 1
    assert await held_in(feed.engine) == []
    async with feed.member():
        await feed.applied(4)
    await applied_but(feed, of=4)


async def compressed(feed: Feed, events: Sequence[Event]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=feed.broker.bootstrap, compression_type="gzip", linger_ms=100
    )
    async with producer:
        for event in events:
            out = written(event, feed.topic)
            await producer.send(feed.topic, out.value, out.key, partition=0)


async def test_failed_reread_is_repeated(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[object] = []

    async def late(*given: object) -> RereadRecords:
        refused.append(given)
        if len(refused) < 3:
            raise TimeoutError
        return await reread_records(*given)  # type: ignore[arg-type] # passed on unchanged

    monkeypatch.setattr(runtime_client, "reread_records", late)
    await send_misnamed(feed.producer, feed.topic, 0, [written(numbered(0)).value])
    async with feed.member():
        await feed.applied(1)
    assert await held_in(feed.engine) == []
    # By the same client, which is not replaced for it.
    assert not feed.logged("broker_failed")
