"""What identifies an event: its Kafka key, its fingerprint, the name of its gateway."""

import hashlib
import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from uuid import UUID

import msgspec

OPERATOR = "operator"
"""Provider of the facts that an operator recorded. No gateway may have this name."""

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


def payment_key(
    account: str, reference: str | None, provider: str, provider_reference: str | None
) -> bytes:
    """Build the Kafka key of an order, or of a payment without an order."""
    if reference is not None:
        return canonical([account, reference])
    return canonical([account, provider, provider_reference])


def canonical(values: list[str | None]) -> bytes:
    """Return the one JSON text of these values: that of `json.dumps`, in a tenth of its time."""
    try:
        return msgspec.json.encode(values)
    except TypeError:
        # A text of another class.
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def uuid_of(namespace: UUID, name: bytes) -> UUID:
    """Return the UUID of version 5 of a name: that of `uuid.uuid5`, in less time."""
    digest = hashlib.sha1(namespace.bytes + name, usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def uuid_of_names(namespace: UUID, names: Sequence[str | None]) -> UUID:
    """Return the UUID of the JSON array of names that `json.dumps` writes, in less time."""
    texts = ("null" if name is None else encode_basestring_ascii(name) for name in names)
    return uuid_of(namespace, f"[{', '.join(texts)}]".encode())


def contradicts(first: str, second: str) -> bool:
    """Return whether two fingerprints of one event id contradict each other."""
    return bool(contradictions(first, second))


def contradictions(first: str, second: str) -> Sequence[int]:
    """Return the indexes at which two fingerprints differ; null does not contradict a value."""
    pairs = enumerate(zip(json.loads(first), json.loads(second), strict=True))
    return [place for place, (a, b) in pairs if a is not None and b is not None and a != b]


def gateway_name(name: str) -> str:
    """Return the name of a gateway, or raise ValueError if it is reserved."""
    if name == OPERATOR:
        message = f"{OPERATOR} is reserved for facts that an operator recorded"
        raise ValueError(message)
    return name
