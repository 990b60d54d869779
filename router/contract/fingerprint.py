"""Fingerprints: the facts that a redelivery must repeat, as canonical JSON arrays."""

import json
from collections.abc import Sequence

FINGERPRINT_VERSION = "1"

FINGERPRINT = (
    "version",
    "type",
    "account",
    "reference",
    "provider_reference",
    "amount",
    "currency",
    "movement",
    "movement_amount",
)
"""Names of the items of an event's fingerprint, in order."""


def contradicts(first: str, second: str) -> bool:
    """Return whether two fingerprints of one event id contradict each other."""
    return bool(contradictions(first, second))


def contradictions(first: str, second: str) -> Sequence[int]:
    """Return the indexes at which two fingerprints differ; null does not contradict a value."""
    pairs = enumerate(zip(json.loads(first), json.loads(second), strict=True))
    return [place for place, (a, b) in pairs if a is not None and b is not None and a != b]
