"""Reads orders from a platform's own JSON.

By default the fields are those of `Order`. For a platform that publishes orders in another shape,
the configuration defines the place of each fact as a JSON Pointer (RFC 6901).
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from router.contract.event import event_id
from router.contract.fields import Text
from router.contract.order import Order, OrderType, order_message_id
from router.contract.strict_json import JsonValue
from router.contract.wire import (
    Headers,
    UndecodableRecord,
    check_schema_version,
    first_problem,
    read_object,
    read_payload,
)


def _pointer(text: str) -> str:
    if not _POINTER.fullmatch(text):
        message = 'must be a JSON Pointer such as /order/id (~1 means /, ~0 means ~) or "" for none'
        raise ValueError(message)
    return text


_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")

Pointer = Annotated[str, Field(max_length=512), AfterValidator(_pointer)]
"""A JSON Pointer; empty if the platform does not publish the fact."""


class OrderFields(BaseModel):
    """`[order.fields]`: the place of each fact of an order; the defaults are our own names.

    `sku` and `quantity` are looked up within each of the `lines`, the `payment_…` fields
    within each of the `payments`. `types` translates the platform's types. A record whose
    type is neither in `types` nor our own is refused, or skipped with
    `unknown_types = "ignore"`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    id: Pointer = "/id"
    version: Pointer = "/version"
    type: Pointer = "/type"
    account: Pointer = "/account"
    reference: Pointer = "/reference"
    lines: Pointer = "/lines"
    sku: Pointer = "/sku"
    quantity: Pointer = "/quantity"
    total: Pointer = "/total"
    currency: Pointer = "/currency"
    customer_id: Pointer = "/customer/id"
    customer_email: Pointer = "/customer/email"
    customer_language: Pointer = "/customer/language"
    time_to_live_seconds: Pointer = "/time_to_live_seconds"
    payments: Pointer = "/payments"
    payment_reference: Pointer = "/reference"
    payment_provider: Pointer = "/provider"
    payment_provider_reference: Pointer = "/provider_reference"
    payment_address: Pointer = "/address"
    at: Pointer = "/at"
    types: dict[str, Literal["order.placed", "order.cancelled", "ignore"]] = Field(
        default_factory=dict
    )
    unknown_types: Literal["refuse", "ignore"] = "refuse"
    default_account: Text | None = None
    default_currency: Text | None = None

    @model_validator(mode="after")
    def _names_the_message(self) -> Self:
        if self.id and self.id == self.reference:
            message = (
                "id identifies the message, reference the order: if the platform has ids for"
                ' orders only, set id = ""'
            )
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class OtherOrderMessage:
    """A message of the platform that is ignored here."""

    id: UUID
    fingerprint: str


def read_order(
    fields: OrderFields,
) -> Callable[[bytes | None, Headers], Order | OtherOrderMessage]:
    """Return a function that reads a record of the order topic.

    The function raises UnknownMajorVersion if the schema header names a later major
    version of our schema, and UndecodableRecord for any other record that is not an
    order. The error messages never contain the record. The headers `ce_type` and `ce_id`
    take precedence over the fields.
    """

    def read(value: bytes | None, headers: Headers) -> Order | OtherOrderMessage:
        check_schema_version(headers, "order")
        payload = read_payload(value)
        if _header(headers, "ce_type") == OrderType.DECIDED:
            return _decision(payload)
        document = read_object(payload)
        kind = _kind(fields, document, headers)
        if kind is None:
            message_id = event_id("order", "", "other", hashlib.sha256(payload).hexdigest())
            return OtherOrderMessage(message_id, '["1","other"]')
        return _order(fields, document, kind, _header(headers, "ce_id"))

    return read


def _kind(
    fields: OrderFields, document: Mapping[str, JsonValue], headers: Headers
) -> OrderType | None:
    """Return the type of the message, None if it must be ignored."""
    header = _header(headers, "ce_type")
    word = _plain(_at(document, fields.type)) if header is None else header
    if not isinstance(word, str):
        message = "type: missing or not text; needs a type such as order.placed"
        raise UndecodableRecord(message)
    ours = fields.types.get(word, word)
    if ours in _OF_PLATFORM:
        return OrderType(ours)
    if ours == "ignore" or fields.unknown_types == "ignore":
        return None
    message = "type: not one of order.placed, order.cancelled or the keys of order.fields.types"
    raise UndecodableRecord(message)


_OF_PLATFORM = frozenset({OrderType.PLACED, OrderType.CANCELLED})


def _decision(payload: bytes) -> Order:
    """Read an operator's decision, which has our own fields even if the platform's differ."""
    try:
        order = Order.model_validate(read_object(payload))
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None
    if order.decided is None:
        message = f"type: must be {OrderType.DECIDED}, as in the header ce_type"
        raise UndecodableRecord(message)
    return order


def _order(
    fields: OrderFields, document: Mapping[str, JsonValue], kind: OrderType, header_id: str | None
) -> Order:
    def found(pointer: str) -> object:
        return _plain(_at(document, pointer))

    account, currency = found(fields.account), found(fields.currency)
    at = _at(document, fields.at)
    values = {
        "id": _NO_ID,
        "type": kind,
        "account": fields.default_account if account is None else account,
        "reference": found(fields.reference),
        "lines": _lines(fields, _at(document, fields.lines)),
        "total": _at(document, fields.total),
        "currency": fields.default_currency if currency is None else currency,
        "customer": {
            "id": found(fields.customer_id),
            "email": found(fields.customer_email) or None,
            "language": found(fields.customer_language) or None,
        },
        "time_to_live_seconds": _at(document, fields.time_to_live_seconds),
        "payments": _payments(fields, _at(document, fields.payments)),
        # As text, so that seconds since 1970 are parsed from digits and never become a float.
        "at": _plain(at),
    }
    given_id = found(fields.id) if header_id is None else header_id
    try:
        order = Order.model_validate(values)
        message_id = _message_id(order, given_id, found(fields.version))
        return order.model_copy(update={"id": message_id})
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None


_NO_ID = UUID(int=0)


def _message_id(order: Order, given: object, version: object) -> UUID:
    """Return the id of a message: the given one, or one derived from its distinguishing facts."""
    if given is not None and not isinstance(given, str):
        message = "id: must be text or a number"
        raise UndecodableRecord(message)
    if given:
        try:
            return UUID(given)
        except ValueError:
            return order_message_id(order.type, order.account, given)
    if version is not None and not isinstance(version, str):
        message = "version: must be text or a number"
        raise UndecodableRecord(message)
    # Without a version the time distinguishes two messages; without both, one per type counts.
    distinguishing = version or (order.at.isoformat() if order.at else "")
    return order_message_id(order.type, order.account, order.reference, distinguishing)


def _lines(fields: OrderFields, found: JsonValue) -> object:
    return _each(
        found,
        lambda item: {
            "sku": _plain(_at(item, fields.sku)),
            "quantity": _at(item, fields.quantity),
        },
    )


def _payments(fields: OrderFields, found: JsonValue) -> object:
    return _each(
        found,
        lambda item: {
            "reference": _plain(_at(item, fields.payment_reference)),
            "provider": _plain(_at(item, fields.payment_provider)),
            "provider_reference": _plain(_at(item, fields.payment_provider_reference)),
            "address": _plain(_at(item, fields.payment_address)),
        },
    )


def _each(found: JsonValue, read: Callable[[JsonValue], object]) -> object:
    # Anything but an array is returned unchanged: the model refuses it and names the field.
    if isinstance(found, Sequence) and not isinstance(found, str):
        return [read(item) for item in found]
    return found


def _at(document: JsonValue, pointer: str) -> JsonValue:
    """Return the value at a pointer, None if there is none."""
    if not pointer:
        return None
    value = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            index = int(name) if _INDEX.fullmatch(name) else len(value)
            value = value[index] if index < len(value) else None
        else:
            return None
    return value


_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _plain(value: JsonValue) -> object:
    """Convert a number to text: a platform's order 1001 is `1001` everywhere else."""
    if isinstance(value, Decimal):
        # Longer than any text of the contract: 1e999999 is never expanded.
        return format(value, "f") if abs(value.adjusted()) <= _DIGITS else None
    return value


_DIGITS = 40


def _header(headers: Headers, name: str) -> str | None:
    value = dict(headers).get(name)
    return None if value is None else value.decode("utf-8", "replace") or None
