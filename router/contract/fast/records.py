"""Encodes events without pydantic: the same records as `router.contract.wire.encode_event`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final
from uuid import UUID

import msgspec

from router.contract import wire
from router.contract.amounts import amount_text
from router.contract.event import MONEY, Customer, Event, EventType, Raw, Verification
from router.contract.fast.events import types_of_fields
from router.contract.wire import OutgoingRecord, event_headers

AMOUNTS: Final = frozenset(amount for amount, _ in MONEY)
"""Fields with an amount: text in a record, a Decimal in an event."""

_IN_MODELS: Final = frozenset({str, bool, dict, type(None)})
"""Types of the members of `Customer`, `Verification` and `Raw`, and alike in JSON."""

_SHAPES: Final = 1024
"""Shapes of events that are remembered. One gateway's events have a few dozen."""


class EventFacts(msgspec.Struct, kw_only=True):
    """The fields of an event in their order, as a record has them.

    A field that is added to `Event` is added here at the same place.
    """

    id: UUID
    type: EventType
    provider: str
    endpoint: str
    account: str
    reference: str | None
    provider_reference: str | None
    amount: str | None
    currency: str | None
    movement: str | None
    movement_amount: str | None
    amount_claimed: bool | None
    expected_amount: str | None
    expected_currency: str | None
    converted: str | None
    converted_currency: str | None
    price_met: bool | None
    fee: str | None
    fee_currency: str | None
    fee_returned: str | None
    gas: str | None
    gas_currency: str | None
    network: str | None
    chain_id: str | None
    tx_hash: str | None
    from_address: str | None
    to_address: str | None
    customer: Customer
    occurred_at: datetime | None
    received_at: datetime
    test: bool | None
    unread: tuple[str, ...]
    verification: Verification
    raw: Raw | None
    raw_event: UUID | None
    recorded: None
    """An event that an operator recorded is rare: pydantic writes it."""


def encode_event(event: Event, topic: str, traceparent: str) -> OutgoingRecord:
    """Encode an event as a record for `topic`.

    The same as `router.contract.wire.encode_event`, in less time.
    """
    value = encoded(event)
    if value is None:
        return wire.encode_event(event, topic, traceparent)
    return OutgoingRecord(topic, event.key, value, event_headers(event, traceparent))


def encoded(event: Event) -> bytes | None:
    """Return the value of an event's record; None if only pydantic can write it."""
    if type(event) is not Event:
        return None
    values = vars(event)
    try:
        texts = {name: amount_text(values[name]) for name in AMOUNTS if values[name] is not None}
        facts = EventFacts(**{**values, **texts})
        if not _is_plain(facts):
            return None
        return _encoder().encode(facts)
    except (KeyError, TypeError, ValueError):
        # Of an event that was made without validation: pydantic decides about it.
        return None


def _is_plain(facts: EventFacts) -> bool:
    """Return whether each fact has a type of its field: pydantic validates no copy of an event."""
    moment = facts.occurred_at
    if facts.received_at.tzinfo is not UTC or (moment is not None and moment.tzinfo is not UTC):
        return False
    return _have_types_of_fields(tuple(map(type, msgspec.structs.astuple(facts))))


@lru_cache(maxsize=_SHAPES)
def _have_types_of_fields(types: tuple[type, ...]) -> bool:
    return all(one in known for one, known in zip(types, _types(), strict=True))


@cache
def _types() -> Sequence[frozenset[type]]:
    """Return the possible types of each field of `EventFacts`, in order."""
    amount = frozenset[type]({str, type(None)})
    known = types_of_fields()
    return [amount if name in AMOUNTS else known[name] for name in EventFacts.__struct_fields__]


@cache
def _encoder() -> msgspec.json.Encoder:
    return msgspec.json.Encoder(enc_hook=_members)


def _members(model: object) -> Mapping[str, object]:
    """Return the members of a model within an event; TypeError if msgspec may write others."""
    values = vars(model)
    if not _IN_MODELS.issuperset(map(type, values.values())):
        raise TypeError(type(model).__name__)
    return values
