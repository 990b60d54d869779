"""Kafka records, and the result of decoding one."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from router.contract.wire import Headers, ReaderOutdated, UndecodableRecord, decode_event


class Partition(NamedTuple):
    """A partition: the topic's name on the broker, and the number."""

    topic: str
    number: int

    def __str__(self) -> str:
        """Format it as Kafka's tools do: `payment-3`."""
        return f"{self.topic}-{self.number}"


@dataclass(frozen=True)
class Record:
    """One Kafka record. `timestamp` is in milliseconds, as reported by the broker.

    Header names keep invalid UTF-8 bytes as lone surrogates.
    """

    partition: Partition
    offset: int
    timestamp: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)

    @property
    def crc(self) -> int:
        """Checksum of key, value and headers; detects a different record at the same offset."""
        crc = 0
        for part in (self.key, self.value, *(p for pair in self.headers for p in pair)):
            data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
            # The length keeps "ab"+"c" and "a"+"bc" apart; -1 keeps null and empty apart.
            crc = zlib.crc32(b"%d:" % (-1 if data is None else len(data)), crc)
            crc = zlib.crc32(data or b"", crc)
        return crc


class Message(Protocol):
    """Content of a record as decoded: an event of the contract, or a message of another kind."""

    @property
    def id(self) -> UUID:
        """Identity of the message: a second message with this id has no effect."""

    @property
    def fingerprint(self) -> str:
        """Facts that a message with the same id must repeat: a JSON array; null matches all."""


Reader = Callable[[bytes | None, Headers], Message]
"""Decodes a record's value and headers.

Raises UndecodableRecord if the record can never be decoded, and
ReaderOutdated if the reader has to be upgraded first. The messages state
the problem and never contain data of the record.
"""


@dataclass(frozen=True)
class Decoded:
    """A record and its decoded event."""

    record: Record
    event: Message


@dataclass(frozen=True)
class Undecodable:
    """A record that cannot be decoded, and why."""

    record: Record
    problem: str


@dataclass(frozen=True)
class Unfetchable:
    """An offset whose record cannot be fetched: only topic, partition and offset are known."""

    record: Record
    problem: str


Arrived = Decoded | Undecodable | Unfetchable
"""A record from the log that a batch can process: apply, or hold."""


@dataclass(frozen=True)
class TooNew:
    """A record of a later version: this consumer has to be upgraded first."""

    record: Record
    problem: str


NO_TIMESTAMP = -1
"""Kafka's value for a record without a timestamp."""


def unfetchable(partition: Partition, offset: int, problem: str) -> Unfetchable:
    """Return the stand-in for a record that cannot be fetched."""
    return Unfetchable(Record(partition, offset, NO_TIMESTAMP, None, None, ()), problem)


def from_client(partition: Partition, message: Any) -> Record:  # noqa: ANN401 - aiokafka's record
    """Convert a record of aiokafka."""
    return Record(
        partition, message.offset, message.timestamp, message.key, message.value, message.headers
    )


Decode = Callable[[Record], Decoded | Undecodable | TooNew]


def decode(record: Record, read: Reader = decode_event) -> Decoded | Undecodable | TooNew:
    """Decode a record; the result holds the problem if there is no event."""
    try:
        found = read(record.value, record.headers)
        if read is not decode_event:
            _require_storable(found)
        return Decoded(record, found)
    except ReaderOutdated as problem:
        return TooNew(record, str(problem))
    except UndecodableRecord as problem:
        return Undecodable(record, f"{type(problem).__name__}: {problem}")
    except Exception as problem:  # noqa: BLE001 - one record must not stop the consumer
        return Undecodable(record, f"{type(problem).__name__}: raised while decoding the record")


def _require_storable(message: Message) -> None:
    """Raise UndecodableRecord if the fingerprint cannot be stored.

    Found later, when the event is claimed, it would count as a failure of the store.
    """
    text = message.fingerprint
    if "\0" in text or not isinstance(json.loads(text), list):
        problem = "the reader's fingerprint cannot be stored: it must be a JSON array without NUL"
        raise UndecodableRecord(problem)
    text.encode()
