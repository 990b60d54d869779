"""A record as it came, and what could be read from it."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from router.contract.wire import Headers, UndecodableRecord, UnknownMajorVersion, decode_event


class Partition(NamedTuple):
    """A topic's name on the broker and a partition of it."""

    topic: str
    number: int

    def __str__(self) -> str:
        """Write it as Kafka's tools do: `payment-3`."""
        return f"{self.topic}-{self.number}"


@dataclass(frozen=True)
class Record:
    """One Kafka record. `timestamp` is in milliseconds, by the broker's word.

    What is no UTF-8 in the name of a header stands there as lone surrogates.
    """

    partition: Partition
    offset: int
    timestamp: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)

    @property
    def crc(self) -> int:
        """Checksum of key, value and headers: tells this record from another in its place."""
        crc = 0
        for part in (self.key, self.value, *(p for pair in self.headers for p in pair)):
            data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
            # The length keeps "ab"+"c" and "a"+"bc" apart; -1 keeps null and empty apart.
            crc = zlib.crc32(b"%d:" % (-1 if data is None else len(data)), crc)
            crc = zlib.crc32(data or b"", crc)
        return crc


class Message(Protocol):
    """What a reader finds in a record: an event of the contract, or what others write."""

    @property
    def id(self) -> UUID:
        """What it is known by: the same one again has no second effect."""

    @property
    def fingerprint(self) -> str:
        """What the same one must repeat: a JSON array; null contradicts nothing."""


Reader = Callable[[bytes | None, Headers], Message]
"""Reads a record's value and headers.

Raises UndecodableRecord where there is nothing of its kind in it and never
will be, UnknownMajorVersion where the reader has to be upgraded first. The
messages say what is wrong and never repeat the record.
"""


@dataclass(frozen=True)
class Decoded:
    """A record whose event could be read."""

    record: Record
    event: Message


@dataclass(frozen=True)
class Unreadable:
    """A record in which no event could be found, and why."""

    record: Record
    problem: str


@dataclass(frozen=True)
class Unfetchable:
    """A place in the log whose record cannot be read: nothing but the place is known."""

    record: Record
    problem: str


Arrived = Decoded | Unreadable | Unfetchable
"""What came from the log and can be passed: applied, or held."""


@dataclass(frozen=True)
class TooNew:
    """A record of a later major version: it is our upgrade that is late."""

    record: Record
    problem: str


NO_TIMESTAMP = -1
"""How Kafka writes that a record has none."""


def unfetchable(partition: Partition, offset: int, problem: str) -> Unfetchable:
    """Name a record by its place alone."""
    return Unfetchable(Record(partition, offset, NO_TIMESTAMP, None, None, ()), problem)


def from_client(partition: Partition, message: Any) -> Record:  # noqa: ANN401 - aiokafka's record
    """Take over a record of aiokafka."""
    return Record(
        partition, message.offset, message.timestamp, message.key, message.value, message.headers
    )


Decode = Callable[[Record], Decoded | Unreadable | TooNew]


def decode(record: Record, read: Reader = decode_event) -> Decoded | Unreadable | TooNew:
    """Read the event of a record."""
    try:
        found = read(record.value, record.headers)
        if read is not decode_event:
            _require_storable(found)
        return Decoded(record, found)
    except UnknownMajorVersion as problem:
        return TooNew(record, str(problem))
    except UndecodableRecord as problem:
        return Unreadable(record, f"{type(problem).__name__}: {problem}")
    except Exception as problem:  # noqa: BLE001 - whatever a record does to us is its own fault
        return Unreadable(record, f"{type(problem).__name__}: raised while it was read")


def _require_storable(message: Message) -> None:
    """Refuse here what the claim of its event would fail with, which is to be the store's fault.

    Raises UndecodableRecord.
    """
    text = message.fingerprint
    if "\0" in text or not isinstance(json.loads(text), list):
        problem = "its reader gives no fingerprint that can be kept: a JSON array without NUL"
        raise UndecodableRecord(problem)
    text.encode()
