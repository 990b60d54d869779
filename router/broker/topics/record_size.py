"""Calculates the size of a record on the wire, which counts for `max.message.bytes`."""

from collections.abc import Sequence
from functools import lru_cache

_BATCH_HEAD = 61
_ONE_BYTE = 64
"""The smallest number whose varint needs two bytes."""
_ATTRIBUTES_AND_DELTAS = 3
"""One byte each for the attributes, the timestamp delta and the offset delta."""


def batch_bytes(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """Return the exact size of an uncompressed batch (format 2) that has only this record."""
    body = _ATTRIBUTES_AND_DELTAS + _field(key) + _field(value) + _varint(len(headers))
    for name, content in headers:
        size = 0 if content is None else len(content)
        # Called for each delivery: most headers are short.
        body += _name(name) + size + (1 if size < _ONE_BYTE else _varint(size))
    return _BATCH_HEAD + _varint(body) + body


@lru_cache(maxsize=256)
def _name(name: str) -> int:
    # As above, with the same few names each time.
    return _field(name.encode())


def _field(content: bytes | None) -> int:
    # Null is written as the length -1, which takes one byte.
    return 1 if content is None else _varint(len(content)) + len(content)


def _varint(number: int) -> int:
    """Return the size of a non-negative number, written as a zigzag varint."""
    if number < _ONE_BYTE:
        return 1
    return ((number << 1).bit_length() + 6) // 7
