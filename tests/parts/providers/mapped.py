"""A gateway that is defined by a mapping, and deliveries that are signed for it."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from router.contract.event import Event
from router.delivery import Delivery
from tests.parts.providers.configured import gateway
from tests.parts.providers.deliveries import Gateway, delivery, hex_hmac

SECRET = "acme-secret"

MAPPING: Mapping[str, Any] = {
    "gateway": "acme",
    "event": "what",
    "events": {"paid": "payment.confirmed"},
    "fields": {"provider_reference": "id", "amount": "sum", "currency": "coin"},
}
BODY: Mapping[str, Any] = {"what": "paid", "id": "p1", "sum": "12.50", "coin": "EUR"}


def acme(**changes: object) -> Gateway:
    """Return a gateway with this mapping, some keys of which are changed."""
    mapping = copy.deepcopy({**MAPPING, **changes})
    mapping = {name: value for name, value in mapping.items() if value is not ...}
    return gateway("generic_hmac", secrets=[SECRET], mapping=mapping)


def sent(members: Mapping[str, Any], *headers: tuple[str, str]) -> Delivery:
    """Return a genuine delivery with these members, and further headers."""
    body = json.dumps(members).encode()
    return delivery(body, ("x-signature", hex_hmac(SECRET.encode(), body)), *headers)


def event_of(own: Gateway, **changes: object) -> Event:
    """Return the event of the body, some members of which are changed or left out (`...`)."""
    members = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
    return own.normalized(sent(members))
