"""The frame in which schema registries wrap a record's value: a few bytes, then the payload.

Confluent's and its relatives': a zero byte, the schema id as four bytes, the payload. JSON behind
it is read as if there were no frame. Avro and Protobuf need their schema and are refused by name.
"""

from collections.abc import Sequence
from uuid import UUID

_MAGIC = 0x00
_HEAD = 5
"""The zero byte and the schema id."""

_GLUE_VERSION = 0x03
_GLUE_COMPRESSIONS = (0x00, 0x05)
_GLUE_HEAD = 18
"""A version byte, a compression byte, and the id of the schema version as a UUID."""

_JSON_SPACE = b" \t\r\n"
_JSON_STARTS = (b"{", b"[")
"""Neither can start Avro's length of a text: both would be a negative number."""

_MOST_INDEXES = 16
"""Deepest nesting of a Protobuf message type that is considered."""

_MOST_FIELDS = 100
"""So many fields are walked: a record may hold millions, and everything else waits meanwhile."""

_VARINT_BYTES = 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class UnreadableFrame(ValueError):  # noqa: N818 - reads as what happened
    """The payload behind a registry's frame is not JSON; the message says what it looks like."""


def unframed(value: bytes) -> bytes:
    """Return the JSON behind a registry's frame, or `value` itself where it has no frame.

    Raises UnreadableFrame where there is a frame and something else than JSON behind it.
    """
    if value[:1] == bytes([_MAGIC]):
        return _behind_magic_byte(value)
    if _is_glue(value):
        schema = UUID(bytes=value[2:_GLUE_HEAD])
        message = (
            f"behind AWS Glue's schema registry header (schema version {schema}):"
            " publish JSON without it"
        )
        raise UnreadableFrame(message)
    return value


def _behind_magic_byte(value: bytes) -> bytes:
    if len(value) < _HEAD:
        message = (
            f"{len(value)} bytes that start with a zero byte, as a schema registry's frame does,"
            f" which has {_HEAD}: publish JSON"
        )
        raise UnreadableFrame(message)
    number, payload = int.from_bytes(value[1:_HEAD]), value[_HEAD:]
    if payload.lstrip(_JSON_SPACE).startswith(_JSON_STARTS):
        return payload
    what = _looks_like(payload)
    message = (
        f"{what} behind a schema registry's frame (schema id {number}): publish JSON, with or"
        " without the frame"
    )
    raise UnreadableFrame(message)


def _looks_like(payload: bytes) -> str:
    """Guess the format. Neither marks itself: only Protobuf can be walked without its schema."""
    if not payload:
        return "nothing"
    message = _after_indexes(payload)
    if message is None:
        return "what looks like Avro"
    if not message:
        # An empty message, or Avro's empty text, null or zero.
        return "Avro or Protobuf"
    return "what looks like Protobuf" if _is_protobuf(message) else "what looks like Avro"


def _is_glue(value: bytes) -> bool:
    return len(value) >= _GLUE_HEAD and value[0] == _GLUE_VERSION and value[1] in _GLUE_COMPRESSIONS


def _after_indexes(payload: bytes) -> bytes | None:
    """Return what follows Protobuf's list of message indexes, or None where there is no list.

    The list is its length and its numbers as zigzag varints; `[0]` is written as one zero byte.
    """
    read = _varint(payload, 0)
    if read is None:
        return None
    count, at = _unzigzag(read[0]), read[1]
    if not 0 <= count <= _MOST_INDEXES:
        return None
    for _ in range(count):
        read = _varint(payload, at)
        if read is None or _unzigzag(read[0]) < 0:
            return None
        at = read[1]
    return payload[at:]


def _is_protobuf(message: bytes) -> bool:
    """Whether the bytes can be walked as fields of Protobuf, to their end or the first many."""
    at: int | None = 0
    for _ in range(_MOST_FIELDS):
        if at is None or at >= len(message):
            break
        at = _after_field(message, at)
    return at is not None and at <= len(message)


def _after_field(message: bytes, at: int) -> int | None:
    tag = _varint(message, at)
    if tag is None or tag[0] >> 3 == 0:
        return None
    kind, behind = tag[0] & 7, tag[1]
    if kind in _FIXED_BYTES:
        return behind + _FIXED_BYTES[kind]
    if kind not in {_VARINT, _LENGTH}:
        return None
    number = _varint(message, behind)
    if number is None:
        return None
    return number[1] + (number[0] if kind == _LENGTH else 0)


def _varint(data: Sequence[int], at: int) -> tuple[int, int] | None:
    """Return the number at this place and the place behind it."""
    number = 0
    for place, byte in enumerate(data[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return number, at + place + 1
    return None


def _unzigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)
