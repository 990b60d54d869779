"""Collects the state of a scene for the message of a failed test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import func, select

from consumers.runtime.apply.brake import read_brakes
from consumers.runtime.apply.offsets import read_fence_rows
from router.broker.adapter.requests import READ_UNCOMMITTED
from router.broker.log.batches import BatchHead, heads
from router.broker.log.bounds import LogBounds, log_bounds
from router.broker.log.raw_fetch import fetch_raw
from tests.parts.chaos.faults import Scene
from tests.parts.troubles.site import Member

LINES = 60
"""Number of last lines of a consumer's log to show."""

LINE_CHARACTERS = 6000
ANSWER_SECONDS = 20.0
STEP_BYTES = 1024 * 1024

_METRICS = (
    "payrouter_assigned_partitions{",
    "payrouter_partition_halted{",
    "payrouter_lag_records{",
)


@contextlib.asynccontextmanager
async def described(scene: Scene, commands: Mapping[str, str]) -> AsyncIterator[None]:
    """Add a description of the scene to any exception of the block.

    `commands` are the operator's last commands and their output, by member.
    """
    try:
        yield
    except Exception as failed:
        failed.add_note(await diagnosis(scene, commands))
        raise


async def diagnosis(scene: Scene, commands: Mapping[str, str]) -> str:
    """Describe all logs and members, or the error if one does not answer."""
    found = [f"operator for {name}: {said}" for name, said in commands.items()]
    found += [await _answer(_logs(scene), "logs")]
    for each in scene.site.members.values():
        found += [
            await _answer(_probed(each), f"{each.name} on its port"),
            await _answer(_stored(each), f"{each.name} in its store"),
            *(f"  {line[:LINE_CHARACTERS]}" for line in each.process.lines[-LINES:]),
        ]
    return "\n".join(["", *found])


async def _answer(asked: Awaitable[str], what: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await asked
    except Exception as error:  # noqa: BLE001 - the rest of the description is still useful
        return f"{what}: no answer, {error!r}"


async def _logs(scene: Scene) -> str:
    """Describe every partition: its bounds and all its batches."""
    places = [
        TopicPartition(topic, number)
        for topic in scene.read
        for number in range(scene.site.partitions[topic])
    ]
    client = AIOKafkaConsumer(bootstrap_servers=scene.site.bootstrap)
    await client.start()
    try:
        bounds = await log_bounds(client, places, ANSWER_SECONDS)
        lines = [
            f"{place.topic}-{place.partition}: {bounds[place]},"
            f" batches {_shape(await _batches(client, place, bounds[place]))}"
            for place in places
            if place in bounds
        ]
    finally:
        await client.stop()
    return "\n".join(["logs, unreadable records written: " + str(scene.unreadable), *lines])


async def _batches(
    client: AIOKafkaConsumer, place: TopicPartition, bounds: LogBounds
) -> Sequence[BatchHead]:
    found: list[BatchHead] = []
    at = bounds.start
    while at < bounds.end:
        raw = await fetch_raw(
            client,
            place,
            at,
            asked_bytes=STEP_BYTES,
            seconds=ANSWER_SECONDS,
            isolation=READ_UNCOMMITTED,
        )
        new = heads(raw.data)
        if not new:
            break
        found += new
        at = new[-1].last_offset + 1
    return found


def _shape(batches: Sequence[BatchHead]) -> str:
    """Format batches as `FIRST-LAST`, consecutive complete batches as one.

    `(N)` is the number of records left in an incomplete batch; `t` means transactional, `c` a
    control batch.
    """
    spans: list[tuple[int, int, str]] = []
    for each in batches:
        size = each.last_offset + 1 - each.base_offset
        left = f"({each.record_count})" if each.record_count != size else ""
        kind = left + "t" * each.transactional + "c" * each.control
        if spans and not kind and not spans[-1][2] and spans[-1][1] + 1 == each.base_offset:
            spans[-1] = (spans[-1][0], each.last_offset, "")
        else:
            spans.append((each.base_offset, each.last_offset, kind))
    return " ".join(f"{first}-{last}{kind}" for first, last, kind in spans) or "none"


async def _probed(member: Member) -> str:
    good, said = await member.ready()
    _, text = await member.process.asked("/metrics")
    metrics = [line for line in text.splitlines() if line.startswith(_METRICS)]
    return "\n".join([f"{member.name}: {'ready' if good else 'not ready'}, {said}", *metrics])


async def _stored(member: Member) -> str:
    held = member.bench.tables.held
    query = select(held.c.topic, held.c.partition, held.c.state, held.c.reason, func.count())
    query = query.group_by(held.c.topic, held.c.partition, held.c.state, held.c.reason)
    async with member.bench.engine.connect() as connection:
        fences = await read_fence_rows(connection, member.bench.tables)
        brakes = await read_brakes(connection, member.bench.tables)
        kept = (await connection.execute(query)).all()
    return "\n".join(
        [
            *(f"  fence {row}" for row in fences),
            *(f"  {brake}" for brake in brakes.values()),
            *(f"  held {tuple(row)}" for row in kept),
        ]
    )
