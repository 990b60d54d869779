"""Assertions and readers for records that could not be applied."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.member.app import ConsumerProcess
from consumers.runtime.service import Handler
from router.contract.event import Event
from tests.parts.runtime.counting import count, effects_of, held_in, id_of, outbox_of
from tests.parts.runtime.members import Feed
from tests.parts.waiting import PATIENCE_SECONDS, eventually

Place = tuple[int, int, str]
"""Partition, offset, reason."""


async def applied_but(feed: Feed, *missing: int, of: int) -> None:
    """Assert that exactly these numbers have no effect, and all others have one."""
    wanted = [id_of(number) for number in range(of) if number not in missing]
    assert sorted(await effects_of(feed.engine)) == sorted(wanted)


async def held(feed: Feed, state: str) -> list[Place]:
    """Return the origin and reason of each record held in a state."""
    rows = await held_in(feed.engine, state)
    assert {row.topic for row in rows} <= {feed.topic}
    return sorted((row.partition, row.offset, row.reason) for row in rows)


async def holds(feed: Feed, state: str, number: int) -> Sequence[Any]:
    """Wait until so many records are held in a state; return their rows."""

    async def there() -> bool:
        return len(await held_in(feed.engine, state)) >= number

    await eventually(there, f"{number} records {state}")
    return await held_in(feed.engine, state)


async def passed(feed: Feed, partition: int, offset: int) -> None:
    """Wait until a fence has reached an offset."""

    async def there() -> bool:
        fences = await feed.fences()
        return partition in fences and fences[partition].next_offset >= offset

    await eventually(there, f"the fence of {partition} at {offset}")


async def published(feed: Feed) -> None:
    """Wait until the outbox is empty."""

    async def empty() -> bool:
        return not await outbox_of(feed.engine)

    await eventually(empty, "an empty outbox")


async def letters(feed: Feed, number: int) -> list[Any]:
    """Read so many dead letters from their topic, as aiokafka returns them."""
    consumer = AIOKafkaConsumer(
        feed.dead_letters, bootstrap_servers=feed.broker.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[Any] = []

    async def enough() -> bool:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found.extend(records)
        return len(found) >= number

    try:
        await eventually(enough, f"{number} dead letters in {PATIENCE_SECONDS} s")
    finally:
        await consumer.stop()
    return sorted(found, key=lambda letter: str(letter.headers))


def origin(letter: Any) -> dict[str, str]:  # noqa: ANN401 - aiokafka's record
    """Return the origin headers of a dead letter."""
    return {
        name.removeprefix("payrouter-"): value.decode()
        for name, value in letter.headers
        if name.startswith("payrouter-")
    }


def headers_of(row: Any) -> list[tuple[str, bytes | None]]:  # noqa: ANN401 - a row of `held`
    """Read the headers of a held record."""
    pairs = json.loads(row.headers)
    return [(name, None if value is None else base64.b64decode(value)) for name, value in pairs]


def metric(process: ConsumerProcess, name: str, **labels: str) -> float:
    """Read a metric of a consumer, which must exist."""
    value = process.registry.get_sample_value(name, {"consumer": "counting", **labels})
    assert value is not None
    return value


def refusing(*numbers: int, error: type[Exception] = ValueError) -> Handler:
    """Return a handler that fails on these events."""
    refused = set(map(id_of, numbers))

    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        if any(each.id in refused for each in events):
            message = "not this one"
            raise error(message)
        return outcomes

    return handle
