"""Held records: parked for a retry, or dead until an operator replays them.

Each is a row, written in the transaction that moves the fence: the fence only
moves past records that are applied or held. The event id of a held record is
not claimed, so a later retry does not look like a duplicate. Records of one
lane (topic and key) park behind each other, which preserves their order; a
record that dies releases the lane.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from uuid import UUID

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Record, Unfetchable
from consumers.runtime.store.tables import DONE, RuntimeTables

_ERROR_CHARACTERS = 2000
_UNKNOWN_CRC = -1
_ROWS = 500
"""A statement takes 32,767 values at most."""

_IDENTITY = {"cluster_id", "topic", "partition", "offset", "crc"}


class HeldReason(StrEnum):
    """Reason for holding a record; also a filter value of the commands."""

    UNREADABLE = "unreadable"
    """It cannot be decoded."""
    UNFETCHABLE = "unfetchable"
    """The client could not fetch the record; only topic, partition and offset are known."""
    POISON = "poison"
    """The handler raised Poison: it can never be applied."""
    CONFLICT = "conflict"
    """Its event was seen before with different content; the first one keeps its effect."""
    FAILED = "failed"
    """The handler raised an unexpected error; the record is retried."""
    BEHIND = "behind"
    """An earlier record with the same key is parked."""
    EXHAUSTED = "exhausted"
    """The maximum number of attempts was reached."""
    REPLAYED = "replayed"
    """An operator asked for another attempt."""


@dataclass(frozen=True)
class Hold:
    """A record to hold: PARKED or DEAD, why, and how many seconds until a retry is due."""

    arrived: Arrived
    fate: Fate
    reason: HeldReason
    error: str
    attempts: int
    pause: float = 0
    behind: bytes | None = None
    """The lane in which it waits, if not its own."""

    @property
    def record(self) -> Record:
        """The record."""
        return self.arrived.record


@dataclass(frozen=True)
class HoldDecision:
    """How to hold the record that was found by splitting its batch."""

    fate: Fate
    reason: HeldReason
    error: str
    pause: float = 0

    def hold(self, arrived: Arrived) -> Hold:
        """Apply the decision to a record."""
        return Hold(arrived, self.fate, self.reason, self.error, 1, self.pause)


def lane(record: Record) -> bytes:
    """Return the ordering unit of a record: its topic and key, or itself if it has no key.

    It is a hash, since keys may exceed the size limit of an index.
    """
    name = record.partition.topic.encode()
    if record.key is None:
        own = f"{record.partition.number}@{record.offset}".encode()
        return hashlib.sha256(name + b"\0\0" + own).digest()
    return hashlib.sha256(name + b"\0\1" + record.key).digest()


@dataclass
class ParkedLanes:
    """Lanes with parked records, and the lane of each parked event."""

    lanes: set[bytes]
    events: dict[UUID, bytes]

    def lane_for(self, arrived: Arrived) -> bytes | None:
        """Return the lane in which a record has to wait; None if it need not wait.

        A duplicate of a parked event waits in the lane of the original; otherwise
        it would be applied first.
        """
        own = lane(arrived.record)
        if own in self.lanes:
            return own
        return self.events.get(arrived.event.id) if isinstance(arrived, Decoded) else None

    def add(self, arrived: Arrived, behind: bytes) -> None:
        """Record that a record waits in a lane."""
        if isinstance(arrived, Decoded):
            self.events.setdefault(arrived.event.id, behind)


async def read_parked_lanes(
    connection: AsyncConnection, tables: RuntimeTables, fresh: Sequence[Arrived]
) -> ParkedLanes:
    """Read the parked lanes and events that concern records in `fresh`."""
    held = tables.held
    lanes = {lane(each.record) for each in fresh}
    events = {each.event.id for each in fresh if isinstance(each, Decoded)}
    concerned = or_(held.c.lane == func.any(list(lanes)), held.c.event_id == func.any(list(events)))
    rows = await connection.execute(
        select(held.c.lane, held.c.event_id).where(held.c.state == Fate.PARKED, concerned)
    )
    found = [(bytes(row.lane), row.event_id) for row in rows]
    return ParkedLanes(
        {own for own, _ in found} & lanes, {event: own for own, event in found if event}
    )


async def hold(
    connection: AsyncConnection, tables: RuntimeTables, cluster_id: str, holds: Sequence[Hold]
) -> Sequence[Hold]:
    """Write the rows; return the holds that were not already held.

    A record arrives again if its topic is replayed. A record that is still held
    stays as it is; a record that was done, and now cannot be applied, is held again.
    """
    written = set()
    for begin in range(0, len(holds), _ROWS):
        rows = [_row(cluster_id, each) for each in holds[begin : begin + _ROWS]]
        written |= await _write(connection, tables, rows)
    return [each for each in holds if (each.record.partition, each.record.offset) in written]


async def _write(
    connection: AsyncConnection, tables: RuntimeTables, rows: Sequence[Mapping[str, object]]
) -> set[tuple[Partition, int]]:
    held = tables.held
    given = insert(held).values(rows)
    updated = {name: given.excluded[name] for name in rows[0] if name not in _IDENTITY}
    statement = given.on_conflict_do_update(
        constraint="held_once_per_record",
        set_={**updated, "ended_at": None, "outcome": None},
        where=held.c.state == DONE,
    )
    written = await connection.execute(
        statement.returning(held.c.topic, held.c.partition, held.c.offset)
    )
    return {(Partition(topic, partition), offset) for topic, partition, offset in written}


def headers_text(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Encode headers as text, without loss: every byte, the order, and repeated names."""
    pairs = list(headers)
    try:
        # It writes bytes as base64.
        return msgspec.json.encode(pairs).decode()
    except UnicodeEncodeError:
        return _escaped(pairs)


def _escaped(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Encode headers with a name that is not valid UTF-8."""
    return json.dumps(
        [
            [name, None if value is None else base64.b64encode(value).decode()]
            for name, value in headers
        ]
    )


def headers_from(text: str) -> list[tuple[str, bytes | None]]:
    """Decode headers written by `headers_text`."""
    try:
        return _headers_reader().decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return _unescaped(text)


@cache
def _headers_reader() -> msgspec.json.Decoder[list[tuple[str, bytes | None]]]:
    return msgspec.json.Decoder(list[tuple[str, bytes | None]])


def _unescaped(text: str) -> list[tuple[str, bytes | None]]:
    """Decode headers with a name that is not valid UTF-8."""
    return [
        (name, None if value is None else base64.b64decode(value))
        for name, value in json.loads(text)
    ]


def header_name_text(name: str) -> str:
    r"""Return a header name as text, with invalid UTF-8 bytes escaped as `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def error_text(error: str) -> str:
    """Return an error as text that the store accepts: limited in length, without NUL."""
    return error[:_ERROR_CHARACTERS].replace("\0", "").encode("utf-8", "replace").decode()


def _row(cluster_id: str, each: Hold) -> Mapping[str, object]:
    record = each.record
    message = each.arrived.event if isinstance(each.arrived, Decoded) else None
    return {
        "cluster_id": cluster_id,
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "crc": _UNKNOWN_CRC if isinstance(each.arrived, Unfetchable) else record.crc,
        "timestamp": record.timestamp,
        "lane": each.behind or lane(record),
        "key": record.key,
        "value": record.value,
        "headers": headers_text(record.headers),
        "event_id": None if message is None else message.id,
        # A message of another kind need not have one.
        "account": getattr(message, "account", None),
        "state": each.fate.value,
        "reason": each.reason.value,
        "error": error_text(each.error),
        "attempts": each.attempts,
        "first_failed_at": func.now(),
        "last_failed_at": func.now(),
        "due_at": func.now() + timedelta(seconds=each.pause),
    }
