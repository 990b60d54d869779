"""Reads an event from a record that has exactly the form in which `router.contract.wire` writes it.

The record is read into a structure and written again. Only if that gives the same bytes, and each
fact is plainly valid, is it the event that `Event.model_validate` returns: then the record has no
member twice, none that is unknown, and no other spelling of a value. pydantic decides the rest.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from pydantic import BaseModel

from router.contract.event import (
    MONEY,
    Customer,
    Event,
    EventType,
    Raw,
    Verification,
)
from router.contract.fields import MAX_TEXT

Model = TypeVar("Model", bound=BaseModel)
_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class CustomerRecord(Struct):
    """The fields of `Customer`."""

    id: _Text | None
    email: _Text | None


class VerificationRecord(Struct):
    """The fields of `Verification`."""

    scheme: _Text
    key: _Text


class RawRecord(Struct):
    """The fields of `Raw`."""

    method: str
    target: str
    headers: dict[str, str]
    body: str
    body_encoding: Literal["utf-8", "base64"]


class EventRecord(Struct):
    """The fields of `Event` in their order; amounts are text.

    A field that is added to `Event` is added here at the same place.
    """

    id: UUID
    type: EventType
    provider: _Text
    endpoint: _Text
    account: _Text
    reference: _Text | None
    provider_reference: _Text | None
    amount: str | None
    currency: _Text | None
    movement: _Text | None
    movement_amount: str | None
    amount_claimed: bool | None
    expected_amount: str | None
    expected_currency: _Text | None
    converted: str | None
    converted_currency: _Text | None
    price_met: bool | None
    fee: str | None
    fee_currency: _Text | None
    fee_returned: str | None
    gas: str | None
    gas_currency: _Text | None
    network: _Text | None
    chain_id: _Text | None
    tx_hash: _Text | None
    from_address: _Text | None
    to_address: _Text | None
    customer: CustomerRecord
    occurred_at: datetime | None
    received_at: datetime
    test: bool | None
    unread: tuple[_Text, ...]
    verification: VerificationRecord
    raw: RawRecord | None
    raw_event: UUID | None
    recorded: None
    """An event that an operator recorded is rare: pydantic reads it."""


# Without a sign: minus zero is zero in an event.
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")


def read_event(payload: bytes) -> Event | None:
    """Return the event of a record's value; None if only pydantic can decide."""
    try:
        found = _decoder().decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if _encoder().encode(found) != payload or not _is_in_utc(found) or not _is_complete(found):
        return None
    facts = msgspec.structs.asdict(found)
    if not _are_storable(facts, found) or not _make_amounts(facts):
        return None
    facts["customer"] = _made(Customer, msgspec.structs.asdict(found.customer))
    facts["verification"] = _verification(found.verification.scheme, found.verification.key)
    if found.raw is not None:
        facts["raw"] = _made(Raw, msgspec.structs.asdict(found.raw))
    return _made(Event, facts)


def _is_in_utc(found: EventRecord) -> bool:
    return found.received_at.tzinfo is UTC and (
        found.occurred_at is None or found.occurred_at.tzinfo is UTC
    )


def _is_complete(found: EventRecord) -> bool:
    """Return whether the event has the references that `Event` requires."""
    if found.reference is None and found.provider_reference is None:
        return False
    return found.movement_amount is None or found.movement is not None


def _are_storable(facts: Mapping[str, Any], found: EventRecord) -> bool:
    """Return whether all texts outside `raw` are printable, so that every store can hold them."""
    customer, verification = found.customer, found.verification
    texts = [each for each in facts.values() if type(each) is str]
    texts += (verification.scheme, verification.key, *found.unread)
    texts += filter(None, (customer.id, customer.email))
    return "".join(texts).isprintable()


def _make_amounts(facts: dict[str, Any]) -> bool:
    """Replace the text of each amount by its Decimal.

    Returns False if an amount is not plainly valid, or has no currency.
    """
    for name, currency in MONEY:
        text = facts[name]
        if text is None:
            continue
        if facts[currency] is None or _AMOUNT.fullmatch(text) is None:
            return False
        facts[name] = Decimal(text)
    return True


@lru_cache(maxsize=256)
def _verification(scheme: str, key: str) -> Verification:
    return Verification(scheme=scheme, key=key)


@cache
def _decoder() -> "msgspec.json.Decoder[EventRecord]":
    return msgspec.json.Decoder(EventRecord)


@cache
def _encoder() -> msgspec.json.Encoder:
    return msgspec.json.Encoder()


def model_of(kind: type[Model], values: dict[str, Any], given: set[str]) -> Model:
    """Return the frozen model that pydantic makes of valid values of all its fields, in order.

    `given` names the fields that are not left at their defaults. Models may share the set: a copy
    of one gets its own.
    """
    model = kind.__new__(kind)
    # As if it had been pickled, which checks nothing.
    model.__setstate__(
        {
            "__dict__": values,
            "__pydantic_fields_set__": given,
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return model


@cache
def _fields_of(model: type[BaseModel]) -> set[str]:
    """Return the names of a model's fields, a set that frozen models share; a copy gets its own."""
    return set(model.model_fields)


def _made(model: type[Model], values: dict[str, Any]) -> Model:
    return model_of(model, values, _fields_of(model))
