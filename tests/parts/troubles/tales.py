"""Makes numbered records for every topic of the contract; each is a separate event."""

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
"""The topics for which records can be made."""

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_KINDS = {"payment": "confirmed", "payout": "confirmed", "subscription": "renewed"}


@dataclass(frozen=True)
class Told:
    """A record and the id of its event; None if the record has no effect."""

    id: UUID | None
    out: OutgoingRecord

    def keyed(self, key: bytes) -> "Told":
        """Return it with this key, so that compaction keeps only one of several."""
        return replace(self, out=replace(self.out, key=key))

    def framed(self) -> "Told":
        """Add the frame of a schema registry, like its JSON serializer."""
        value = FRAME + self.out.value
        return replace(self, out=replace(self.out, value=value))


FRAME = b"\x00\x00\x00\x00\x2a"
"""Magic byte 0 and schema id 42."""


def tale(topic: str, name: str, number: int) -> Told:
    """Make a new event of a topic of the contract, as a record for the topic of this name."""
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
    """Make a record that no consumer can read: Avro with the frame of a registry."""
    made = tale(topic, name, number)
    text = json.loads(made.out.value)["reference"].encode()
    # A string in Avro: twice its length as a varint, then its bytes.
    body = bytes([len(text) * 2]) + text
    return Told(None, replace(made.out, value=FRAME + body))
