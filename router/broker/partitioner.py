"""Chooses the partition of a record exactly as Kafka's own client does: murmur2 of its key."""

import random
from collections.abc import Sequence
from struct import unpack_from

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def partition_of(key: bytes | None, partitions: Sequence[int]) -> int:
    """Return the partition for a key, a random one if there is no key.

    `partitions` are all partitions of the topic in ascending order, at least one.
    """
    if key is None:
        return random.choice(partitions)  # noqa: S311 - spreads load, protects nothing
    return partitions[(murmur2(key) & _POSITIVE) % len(partitions)]


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash with Kafka's seed, as an unsigned number."""
    length = len(data)
    hashed = _SEED ^ length
    for word in unpack_from(f"<{length >> 2}I", data):
        mixed = word * _MIX & _WORD
        hashed = (hashed * _MIX ^ (mixed ^ mixed >> 24) * _MIX) & _WORD
    if length & 3:
        rest = int.from_bytes(data[length & ~3 :], "little")
        hashed = (hashed ^ rest) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15
