"""Records held back: parked to be tried again, or dead until a person replays them.

They are rows, written in the transaction that moves the fence: nothing is
passed that is not either applied or held. The event id of a held record is
not claimed, so that a later try is not taken for a duplicate. Records of one
lane (a topic's key) park behind each other, so that their order is kept;
dying releases the lane.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived, Decoded, Partition, Record, Unfetchable
from consumers.runtime.store.tables import RuntimeTables

DONE = "done"
"""The state of a row whose record is applied by now, or known as stale or duplicate."""

_ERROR_CHARACTERS = 2000
_UNKNOWN_CRC = -1
_ROWS = 500
"""A statement takes 32,767 values at most."""

_IDENTITY = {"cluster_id", "topic", "partition", "offset", "crc"}


class HeldReason(StrEnum):
    """Why a record is held; a word of the commands' filters."""

    UNREADABLE = "unreadable"
    """No event could be read from it."""
    UNFETCHABLE = "unfetchable"
    """The client could not even read the record; only its coordinate is known."""
    POISON = "poison"
    """The handler says that it never will work."""
    CONFLICT = "conflict"
    """Its event is known with contradicting content; the original stands."""
    FAILED = "failed"
    """The handler failed in a way nobody foresaw; it is tried again."""
    BEHIND = "behind"
    """An earlier record of its key is parked."""
    EXHAUSTED = "exhausted"
    """It was tried as often as is allowed."""
    REPLAYED = "replayed"
    """A person asked for another try."""


@dataclass(frozen=True)
class Hold:
    """One record to be held, PARKED or DEAD, why, and how many seconds until it is due."""

    arrived: Arrived
    fate: Fate
    reason: HeldReason
    error: str
    attempts: int
    pause: float = 0
    behind: bytes | None = None
    """The lane in which it waits, where that is not its own."""

    @property
    def record(self) -> Record:
        """The record."""
        return self.arrived.record


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a record that was found by splitting its batch."""

    fate: Fate
    reason: HeldReason
    error: str
    pause: float = 0

    def hold(self, arrived: Arrived) -> Hold:
        """Say it of a record."""
        return Hold(arrived, self.fate, self.reason, self.error, 1, self.pause)


def lane(record: Record) -> bytes:
    """Return what keeps order with what: topic and key, or the record alone where it has none.

    A hash, since a key may be larger than any index takes.
    """
    name = record.partition.topic.encode()
    if record.key is None:
        own = f"{record.partition.number}@{record.offset}".encode()
        return hashlib.sha256(name + b"\0\0" + own).digest()
    return hashlib.sha256(name + b"\0\1" + record.key).digest()


@dataclass
class Queues:
    """Where something is parked: the lanes, and the lane of each event that is."""

    lanes: set[bytes]
    events: dict[UUID, bytes]

    def of(self, arrived: Arrived) -> bytes | None:
        """Return the lane in which a record has to wait, None where it may go on.

        The same event in another lane waits where its original does, which
        otherwise would come second.
        """
        own = lane(arrived.record)
        if own in self.lanes:
            return own
        return self.events.get(arrived.event.id) if isinstance(arrived, Decoded) else None

    def join(self, arrived: Arrived, queue: bytes) -> None:
        """Note that a record waits there."""
        if isinstance(arrived, Decoded):
            self.events.setdefault(arrived.event.id, queue)


async def parked_queues(
    connection: AsyncConnection, tables: RuntimeTables, fresh: Sequence[Arrived]
) -> Queues:
    """Read where something is parked that is of concern to these records."""
    held = tables.held
    lanes = {lane(each.record) for each in fresh}
    events = {each.event.id for each in fresh if isinstance(each, Decoded)}
    concerned = or_(held.c.lane == func.any(list(lanes)), held.c.event_id == func.any(list(events)))
    rows = await connection.execute(
        select(held.c.lane, held.c.event_id).where(held.c.state == Fate.PARKED, concerned)
    )
    found = [(bytes(row.lane), row.event_id) for row in rows]
    return Queues({own for own, _ in found} & lanes, {event: own for own, event in found if event})


async def hold(
    connection: AsyncConnection, tables: RuntimeTables, cluster_id: str, holds: Sequence[Hold]
) -> Sequence[Hold]:
    """Write the rows, and return those of the holds that were not held already.

    A record comes again where its topic is replayed. What waits then goes on
    waiting; what was done once, and cannot be done again, is held again.
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
    anew = {name: given.excluded[name] for name in rows[0] if name not in _IDENTITY}
    statement = given.on_conflict_do_update(
        constraint="held_once_per_record",
        set_={**anew, "ended_at": None, "outcome": None},
        where=held.c.state == DONE,
    )
    written = await connection.execute(
        statement.returning(held.c.topic, held.c.partition, held.c.offset)
    )
    return {(Partition(topic, partition), offset) for topic, partition, offset in written}


def headers_text(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Write headers as text that holds every byte, in order, doubled names included."""
    return json.dumps(
        [
            [name, None if value is None else base64.b64encode(value).decode()]
            for name, value in headers
        ]
    )


def headers_from(text: str) -> list[tuple[str, bytes | None]]:
    """Read headers back."""
    return [
        (name, None if value is None else base64.b64decode(value))
        for name, value in json.loads(text)
    ]


def readable(name: str) -> str:
    r"""Return a header's name as text: a byte of it that is none as `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def error_text(error: str) -> str:
    """Return what the store takes of an error: bounded, and without what is no text there."""
    return error[:_ERROR_CHARACTERS].replace("\0", "").encode("utf-8", "replace").decode()


def _row(cluster_id: str, each: Hold) -> Mapping[str, object]:
    record = each.record
    event_id = each.arrived.event.id if isinstance(each.arrived, Decoded) else None
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
        "event_id": event_id,
        "state": each.fate.value,
        "reason": each.reason.value,
        "error": error_text(each.error),
        "attempts": each.attempts,
        "first_failed_at": func.now(),
        "last_failed_at": func.now(),
        "due_at": func.now() + timedelta(seconds=each.pause),
    }
