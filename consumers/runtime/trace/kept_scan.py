"""Reads the newest of quarantine or refused, and changes nothing: no group, no commit."""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream.kafka.security import parse_security
from pydantic import ValidationError

from consumers.runtime.records import Partition
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

ASK_SECONDS = 10.0
"""How long the broker may take for the whole of it."""


Kept = TypeVar("Kept", Quarantined, Refused)


@dataclass(frozen=True)
class Found(Generic[Kept]):
    """A kept delivery, and where it is."""

    partition: Partition
    offset: int
    kept: Kept


@dataclass
class Scanned(Generic[Kept]):
    """What was found so far, among how many records.

    `older` if there are some that were not read, `problem` if it ended early.
    """

    found: list[Found[Kept]] = field(default_factory=list)
    records: int = 0
    older: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Scan(Generic[Kept]):
    """Which topic to look through, how many of each partition's newest records, and for what."""

    topic: str
    newest: int
    model: type[Kept]
    wanted: Callable[[Kept], bool]


def body_of(kept: Quarantined | Refused) -> bytes:
    """Return the bytes of a delivery's target and body."""
    raw = kept.raw
    body = raw.body.encode()
    if raw.body_encoding == "base64":
        try:
            body = base64.b64decode(raw.body, validate=True)
        except binascii.Error:
            body = b""
    return raw.target.encode() + b"\n" + body


async def scan_kept(kafka: Mapping[str, Any], scan: Scan[Kept]) -> Scanned[Kept]:
    """Look through the newest records of each partition, as far as the broker lets us.

    A topic that is not there is empty.
    """
    scanned: Scanned[Kept] = Scanned()
    try:
        async with asyncio.timeout(ASK_SECONDS):
            if await _is_there(kafka, scan.topic):
                await _scan(kafka, scan, scanned)
    except Exception as error:  # noqa: BLE001 - also a record no client can read; the rest is told
        scanned.problem = type(error).__name__
    return scanned


async def _is_there(kafka: Mapping[str, Any], topic: str) -> bool:
    # Asked for by name, a topic that is not there would be waited for, or made.
    async with _started(_client(kafka)) as client:
        return topic in await client.topics()


async def _scan(kafka: Mapping[str, Any], scan: Scan[Kept], scanned: Scanned[Kept]) -> None:
    async with _started(_client(kafka, scan.topic)) as client:
        partitions = sorted(client.assignment())
        begin = await client.beginning_offsets(partitions)
        end = await client.end_offsets(partitions)
        first = {tp: max(begin[tp], end[tp] - scan.newest) for tp in partitions}
        scanned.older = any(first[tp] > begin[tp] for tp in partitions)
        async for message in _messages(client, first, end):
            scanned.records += 1
            kept = _read(scan.model, message.value)
            if kept is not None and scan.wanted(kept):
                partition = Partition(scan.topic, message.partition)
                scanned.found.append(Found(partition, message.offset, kept))


async def _messages(
    client: AIOKafkaConsumer,
    first: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> AsyncIterator[Any]:
    """Yield what lies between two places of each partition."""
    left = {tp for tp in first if first[tp] < end[tp]}
    for tp in first:
        client.seek(tp, first[tp]) if tp in left else client.pause(tp)
    while left:
        for messages in (await client.getmany(*left, timeout_ms=500)).values():
            for message in messages:
                yield message
        # By position, not by record: the last offsets may hold a marker and no record.
        left = {tp for tp in left if await client.position(tp) < end[tp]}


def _read(model: type[Kept], value: bytes | None) -> Kept | None:
    try:
        return model.model_validate_json(value or b"")
    except ValidationError:
        return None


def _client(kafka: Mapping[str, Any], *topics: str) -> AIOKafkaConsumer:
    options = dict(kafka)
    security = parse_security(options.pop("security", None))
    return AIOKafkaConsumer(
        *topics,
        **{"request_timeout_ms": int(ASK_SECONDS * 1000), **options},
        **security,
        enable_auto_commit=False,
        auto_offset_reset="none",
    )


@contextlib.asynccontextmanager
async def _started(client: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    try:
        await client.start()
        yield client
    finally:
        await client.stop()
