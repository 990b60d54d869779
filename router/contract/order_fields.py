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
    """`[order.fields]`: the place of each fact of an order, as a JSON Pointer (RFC 6901).

    Needed if the platform already publishes orders in another form; the defaults are the names of
    `deploy/schemas/order.v1.json`. A pointer is empty for a fact that the message lacks. A record
    whose type is neither in `types` nor our own is refused, or skipped with
    `unknown_types = "ignore"`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    id: Pointer = Field(
        "/id",
        description="Place of the id of the message; empty if it has none.",
        examples=["/message_id"],
    )
    version: Pointer = Field(
        "/version",
        description="Place of the order's version, by which a repeat is known.",
        examples=["/order/updated_at"],
    )
    type: Pointer = Field(
        "/type",
        description="Place of the word for what happened; `types` translates it.",
        examples=["/topic"],
    )
    account: Pointer = Field(
        "/account", description="Place of the merchant's account.", examples=["/shop"]
    )
    reference: Pointer = Field(
        "/reference",
        description="Place of the order's number, which the gateway receives too.",
        examples=["/order/number"],
    )
    lines: Pointer = Field(
        "/lines", description="Place of the list of articles.", examples=["/order/items"]
    )
    sku: Pointer = Field(
        "/sku",
        description="Place of the article's number, within each of the `lines`.",
        examples=["/article/sku"],
    )
    quantity: Pointer = Field(
        "/quantity",
        description="Place of the quantity, within each of the `lines`.",
        examples=["/qty"],
    )
    total: Pointer = Field(
        "/total", description="Place of the amount to be paid.", examples=["/order/total_price"]
    )
    currency: Pointer = Field(
        "/currency", description="Place of the currency of the total.", examples=["/order/currency"]
    )
    customer_id: Pointer = Field(
        "/customer/id", description="Place of the customer's number.", examples=["/order/buyer/id"]
    )
    customer_email: Pointer = Field(
        "/customer/email",
        description="Place of the customer's mail address.",
        examples=["/order/buyer/mail"],
    )
    customer_language: Pointer = Field(
        "/customer/language",
        description="Place of the customer's language.",
        examples=["/order/buyer/locale"],
    )
    time_to_live_seconds: Pointer = Field(
        "/time_to_live_seconds",
        description="Place of how long the stock is reserved.",
        examples=["/order/expires_in"],
    )
    payments: Pointer = Field(
        "/payments",
        description="Place of the list of the order's payments.",
        examples=["/order/payments"],
    )
    payment_reference: Pointer = Field(
        "/reference",
        description="Place of a payment's reference, within each of the `payments`.",
        examples=["/ref"],
    )
    payment_provider: Pointer = Field(
        "/provider",
        description="Place of the gateway's name, within each of the `payments`.",
        examples=["/gateway"],
    )
    payment_provider_reference: Pointer = Field(
        "/provider_reference",
        description="Place of the gateway's number, within each of the `payments`.",
        examples=["/gateway_id"],
    )
    payment_address: Pointer = Field(
        "/address",
        description="Place of the address to pay to, within each of the `payments`.",
        examples=["/wallet"],
    )
    at: Pointer = Field(
        "/at", description="Place of the time of the message.", examples=["/created_at"]
    )
    types: dict[str, Literal["order.placed", "order.cancelled", "ignore"]] = Field(
        default_factory=dict,
        description="What each of the platform's words means.",
        examples=[{"orders/create": "order.placed", "orders/shipped": "ignore"}],
    )
    unknown_types: Literal["refuse", "ignore"] = Field(
        "refuse",
        description="What happens to a message of any other type; a refused one is a dead letter.",
    )
    default_account: Text | None = Field(
        None,
        description="Account of orders that name none; without it such an order is a dead letter.",
        examples=["shop-eu"],
    )
    default_currency: Text | None = Field(
        None,
        description="Currency of totals that name none; without it such an order is a dead letter.",
        examples=["EUR"],
    )

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
