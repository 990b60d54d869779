"""Deliveries of any gateway for tests, signed here, independently of the code under test."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.providers import Key, Provider

RECEIVED = datetime(2025, 3, 27, 7, 24, 29, tzinfo=UTC)


def delivery(body: bytes, *headers: tuple[str, str]) -> Delivery:
    """Make a delivery with exactly these headers."""
    return Delivery("shop", "shop-eu", "POST", "/webhooks/shop", headers, body, RECEIVED)


def hex_hmac(secret: bytes, message: bytes, algorithm: str = "sha256") -> str:
    """Sign with the standard library."""
    return hmac.new(secret, message, getattr(hashlib, algorithm)).hexdigest()


@dataclass(frozen=True)
class Gateway:
    """A provider, its key, and the headers that its gateway writes for a body."""

    provider: Provider
    key: Key = field(default_factory=lambda: Key(b"secret", "fp:secret"))

    def verified(self, received: Delivery) -> VerifiedDelivery:
        """Verify with the key."""
        return self.provider.verify(received, [self.key])

    def normalized(self, received: Delivery) -> Event:
        """Verify and normalize, expecting one event."""
        (event,) = self.provider.normalize(self.verified(received))
        return event


def body_of(template: Mapping[str, object], changes: Mapping[str, object]) -> bytes:
    """Write a body with members changed by their path; those changed to `...` are left out."""
    members: dict[str, Any] = json.loads(json.dumps(template))
    for path, value in changes.items():
        *outer, last = path.split(".")
        place = members
        for name in outer:
            place = place.setdefault(name, {})
        if value is ...:
            place.pop(last, None)
        else:
            place[last] = value
    return json.dumps(members).encode()


def facts(event: Event) -> dict[str, object]:
    """Return the fields of an event, except those that are the same for every delivery."""
    left_out = {"id", "raw", "verification", "endpoint", "account", "received_at", "customer"}
    told = event.model_dump(exclude=left_out, exclude_none=True)
    return {name: value for name, value in told.items() if value != ()}


def without(headers: Sequence[tuple[str, str]], name: str) -> tuple[tuple[str, str], ...]:
    """Remove a header."""
    return tuple(pair for pair in headers if pair[0] != name)
