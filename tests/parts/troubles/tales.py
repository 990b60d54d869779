"""Numbered records of every topic of the contract: each is an event of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from router.contract.event import event_id
from router.contract.order import OrderType, order_message_id
from router.contract.topics import FAMILIES, ORDER
from router.contract.wire import OutgoingRecord, encode_event, encode_order
from tests.parts.contract.events import event
from tests.parts.contract.orders import order

TOPICS: Sequence[str] = (*FAMILIES, ORDER)
"""The topics of which a tale can be told."""

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_KINDS = {"payment": "confirmed", "payout": "confirmed", "subscription": "renewed"}


@dataclass(frozen=True)
class Told:
    """A record and the id under which its effect is claimed; None where it can have none."""

    id: UUID | None
    out: OutgoingRecord

    def keyed(self, key: bytes) -> "Told":
        """Give it the key of another, as a log that is compacted must not be."""
        return replace(self, out=replace(self.out, key=key))

    def framed(self) -> "Told":
        """Put it behind the frame of a schema registry, as its JSON serializer does."""
        value = FRAME + self.out.value
        return replace(self, out=replace(self.out, value=value))


FRAME = b"\x00\x00\x00\x00\x2a"
"""Magic byte 0 and schema id 42."""


def tale(topic: str, name: str, number: int) -> Told:
    """Tell of one more event of a topic of the contract, for the topic of this name."""
    if topic == ORDER:
        reference, total = f"order-{number}", "30.00"
        identity = order_message_id(OrderType.PLACED, "shop-eu", reference, total)
        placed = order(OrderType.PLACED.value, id=identity, reference=reference, total=total)
        return Told(identity, encode_order(placed, name))
    kind = _KINDS[topic]
    made = event(
        id=event_id("blockatm", "shop-eu", f"{topic}-{number}", kind),
        type=f"{topic}.{kind}",
        reference=f"{topic}-{number}",
        provider_reference=f"{topic}-{number}",
        amount="1.00",
    )
    return Told(made.id, encode_event(made, name, TRACE))


def avro(topic: str, name: str, number: int) -> Told:
    """Tell of an event as no consumer can read it: Avro behind the frame of a registry."""
    made = tale(topic, name, number)
    text = json.loads(made.out.value)["reference"].encode()
    # A string of Avro: twice its length, as a variable number, and its bytes.
    body = bytes([len(text) * 2]) + text
    return Told(None, replace(made.out, value=FRAME + body))
