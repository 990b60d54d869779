"""Reads the newest deliveries on quarantine or refused: no group, no commit, no change."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import ValidationError

from consumers.runtime.records import Partition
from router.broker.adapter.bootstrap import cause_of
from router.broker.connection import KafkaConnection
from router.broker.rights import KafkaOperation, on_topic
from router.broker.topic_reader import TopicMissing, opened_topic
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused

ASK_SECONDS = 10.0
"""Time-out of the whole scan."""


_Kept = TypeVar("_Kept", Quarantined, Refused)


@dataclass(frozen=True)
class FoundDelivery(Generic[_Kept]):
    """A delivery on quarantine or refused, with its partition and offset."""

    partition: Partition
    offset: int
    kept: _Kept


@dataclass
class Scanned(Generic[_Kept]):
    """Deliveries found so far, and the number of records read.

    `replayed` has the notes of replays, by the id of the delivery. `older` if some records were
    not read, `problem` if the scan ended early.
    """

    found: list[FoundDelivery[_Kept]] = field(default_factory=list)
    replayed: dict[UUID, Replayed] = field(default_factory=dict)
    records: int = 0
    older: bool = False
    problem: str | None = None

    @property
    def without_effect(self) -> Sequence[FoundDelivery[_Kept]]:
        """The deliveries found that were not replayed."""
        return [each for each in self.found if each.kept.id not in self.replayed]


@dataclass(frozen=True)
class KeptScan(Generic[_Kept]):
    """Topic to scan, how many of each partition's newest records, and the deliveries to find."""

    topic: str
    newest: int
    model: type[_Kept]
    wanted: Callable[[_Kept], bool]


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


async def scan_kept(kafka: KafkaConnection, scan: KeptScan[_Kept]) -> Scanned[_Kept]:
    """KeptScan the newest records of each partition, as far as the broker allows it in time.

    A missing topic counts as empty.
    """
    scanned: Scanned[_Kept] = Scanned()
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await _scan(kafka, scan, scanned)
    except TopicMissing:
        pass
    except Exception as error:  # noqa: BLE001 - also a record no client can read; the rest is shown
        reading = on_topic(kafka.principal, KafkaOperation.READ, scan.topic, "trace")
        scanned.problem = cause_of(error, [reading])
    return scanned


async def _scan(kafka: KafkaConnection, scan: KeptScan[_Kept], scanned: Scanned[_Kept]) -> None:
    milliseconds = int(ASK_SECONDS * 1000)
    async with opened_topic(kafka, scan.topic, request_timeout_ms=milliseconds) as reader:
        first = reader.newest(scan.newest)
        scanned.older = any(offset > reader.begin[part] for part, offset in first.items())
        async for fetched in reader.fetched(first):
            scanned.records += len(fetched)
            for record in fetched:
                scanned.replayed |= _replayed(record.value)
                kept = _read(scan.model, record.value)
                if kept is not None and scan.wanted(kept):
                    partition = Partition(scan.topic, record.partition)
                    scanned.found.append(FoundDelivery(partition, record.offset, kept))


def _read(model: type[_Kept], value: bytes | None) -> _Kept | None:
    try:
        return model.model_validate_json(value or b"")
    except ValidationError:
        return None


def _replayed(value: bytes | None) -> Mapping[UUID, Replayed]:
    """Return the delivery that a record notes as replayed."""
    try:
        note = Replayed.model_validate_json(value or b"")
    except ValidationError:
        return {}
    return {note.quarantined: note}
