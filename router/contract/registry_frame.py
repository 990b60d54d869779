"""Removes the frame that schema registries put before a record's payload.

Confluent's frame, which others use too, is a zero byte, then the schema id as four bytes. If JSON
follows, it is read as if there were no frame. Avro and Protobuf need their schema, so they are
refused with an error that names the format.
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
"""Avro cannot start with these: as the length of a text, both would be a negative number."""

_MOST_INDEXES = 16
"""Maximum nesting of a Protobuf message type that is considered."""

_MOST_FIELDS = 100
"""Maximum number of fields to check: a record may have millions, and checking blocks the loop."""

_VARINT_BYTES = 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class UnreadableFrame(ValueError):  # noqa: N818 - names what happened
    """The payload after a registry's frame is not JSON; the message names the likely format."""


def unframed(value: bytes) -> bytes:
    """Return the JSON after a registry's frame, or `value` itself if it has no frame.

    Raises UnreadableFrame if there is a frame and anything but JSON follows.
    """
    if value[:1] == bytes([_MAGIC]):
        return _after_magic_byte(value)
    if _is_glue(value):
        schema = UUID(bytes=value[2:_GLUE_HEAD])
        message = (
            f"after an AWS Glue schema registry header (schema version {schema}):"
            " publish JSON without the header"
        )
        raise UnreadableFrame(message)
    return value


def _after_magic_byte(value: bytes) -> bytes:
    if len(value) < _HEAD:
        message = (
            f"{len(value)} bytes that start with a zero byte, like a schema registry's frame of"
            f" {_HEAD} bytes, but too short: publish JSON"
        )
        raise UnreadableFrame(message)
    number, payload = int.from_bytes(value[1:_HEAD]), value[_HEAD:]
    if payload.lstrip(_JSON_SPACE).startswith(_JSON_STARTS):
        return payload
    what = _looks_like(payload)
    message = (
        f"{what} after a schema registry's frame (schema id {number}): publish JSON, with or"
        " without the frame"
    )
    raise UnreadableFrame(message)


def _looks_like(payload: bytes) -> str:
    """Guess the format: without a schema, only Protobuf can be parsed. No format has a marker."""
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
    """Return the bytes after Protobuf's list of message indexes, or None if there is no list.

    The list is encoded as its length and its numbers, all zigzag varints; `[0]` is one zero byte.
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
    """Return whether the bytes parse as Protobuf fields, up to the end or to _MOST_FIELDS."""
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
    kind, after = tag[0] & 7, tag[1]
    if kind in _FIXED_BYTES:
        return after + _FIXED_BYTES[kind]
    if kind not in {_VARINT, _LENGTH}:
        return None
    number = _varint(message, after)
    if number is None:
        return None
    return number[1] + (number[0] if kind == _LENGTH else 0)


def _varint(data: Sequence[int], at: int) -> tuple[int, int] | None:
    """Return the number at a position, and the position after it."""
    number = 0
    for place, byte in enumerate(data[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return number, at + place + 1
    return None


def _unzigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)
