"""How many bytes a record takes on the wire, and so for the topic's `max.message.bytes`."""

from collections.abc import Sequence
from functools import lru_cache

_BATCH_HEAD = 61
_ONE_BYTE = 64
"""The smallest number whose varint takes a second byte."""
_ATTRIBUTES_AND_DELTAS = 3
"""One byte each for the attributes, and for time and offset relative to the batch's."""


def batch_bytes(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """Return the exact size of an uncompressed batch (format 2) that holds this record alone."""
    body = _ATTRIBUTES_AND_DELTAS + _field(key) + _field(value) + _varint(len(headers))
    body += sum(_name(name) + _field(content) for name, content in headers)
    return _BATCH_HEAD + _varint(body) + body


@lru_cache(maxsize=256)
def _name(name: str) -> int:
    # Counted for each delivery, and the same few names every time.
    return _field(name.encode())


def _field(content: bytes | None) -> int:
    # Null has the length -1, which takes one byte.
    return 1 if content is None else _varint(len(content)) + len(content)


def _varint(number: int) -> int:
    """Return the size of a number that is not negative, written as a zigzag varint."""
    if number < _ONE_BYTE:
        return 1
    return ((number << 1).bit_length() + 6) // 7
