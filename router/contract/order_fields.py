"""Where a platform's own JSON says what an order is, and how it is read.

With the defaults the fields are those of `Order`. A platform that publishes
its orders in another shape is read by saying where each fact stands, as a JSON
Pointer (RFC 6901).
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from router.contract.event import Text, event_id
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
        message = 'a JSON Pointer such as /order/id, where ~1 stands for / and ~0 for ~; "": none'
        raise ValueError(message)
    return text


_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")

Pointer = Annotated[str, Field(max_length=512), AfterValidator(_pointer)]
"""A JSON Pointer; the empty one means that the platform does not say it."""


class OrderFields(BaseModel):
    """`[order.fields]`: where each fact of an order stands; defaults are our own names.

    `sku` and `quantity` are looked up within each of the `lines`, the
    `payment_…` ones within each of the `payments`. `types` translates the
    platform's words; a word that is neither there nor one of ours is refused,
    or passed over with `unknown_types = "ignore"`.
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
                "id: it names the message, reference the order; where the platform"
                ' numbers orders only, set id = ""'
            )
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class OtherOrderMessage:
    """What the platform says of an order that is of no matter here."""

    id: UUID
    fingerprint: str


def read_order(
    fields: OrderFields,
) -> Callable[[bytes | None, Headers], Order | OtherOrderMessage]:
    """Return what reads a record of the order topic.

    It raises UnknownMajorVersion where the schema header names a later major
    version of ours, UndecodableRecord for everything else that is no order.
    The messages say what is wrong and never repeat the record. The headers
    `ce_type` and `ce_id`, where there are any, stand for the fields.
    """

    def read(value: bytes | None, headers: Headers) -> Order | OtherOrderMessage:
        check_schema_version(headers, "order")
        payload = read_payload(value)
        document = read_object(payload)
        kind = _kind(fields, document, headers)
        if kind is None:
            number = event_id("order", "", "other", hashlib.sha256(payload).hexdigest())
            return OtherOrderMessage(number, '["1","other"]')
        return _order(fields, document, kind, _header(headers, "ce_id"))

    return read


def _kind(
    fields: OrderFields, document: Mapping[str, JsonValue], headers: Headers
) -> OrderType | None:
    """Return what happened, None where it is to be passed over."""
    told = _header(headers, "ce_type")
    word = _plain(_at(document, fields.type)) if told is None else told
    if not isinstance(word, str):
        message = "type: missing or no text; such as order.placed"
        raise UndecodableRecord(message)
    ours = fields.types.get(word, word)
    if ours in set(OrderType):
        return OrderType(ours)
    if ours == "ignore" or fields.unknown_types == "ignore":
        return None
    message = "type: not one of order.placed, order.cancelled or the words of order.fields.types"
    raise UndecodableRecord(message)


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
        # As text: seconds since 1970 are read from their digits, never by way of a float.
        "at": _plain(at),
    }
    told = found(fields.id) if header_id is None else header_id
    try:
        order = Order.model_validate(values)
        number = _number(order, told, found(fields.version))
        return order.model_copy(update={"id": number})
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None


_NO_ID = UUID(int=0)


def _number(order: Order, told: object, version: object) -> UUID:
    """Return the id of a message: as it is told, or made of what tells it apart."""
    if told is not None and not isinstance(told, str):
        message = "id: text or a number"
        raise UndecodableRecord(message)
    if told:
        try:
            return UUID(told)
        except ValueError:
            return order_message_id(order.type, order.account, told)
    if version is not None and not isinstance(version, str):
        message = "version: text or a number"
        raise UndecodableRecord(message)
    # Without a version the time tells two apart; without either there is one of each type.
    apart = version or (order.at.isoformat() if order.at else "")
    return order_message_id(order.type, order.account, order.reference, apart)


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
    # Anything but an array is left as it is: the model refuses it and names the field.
    if isinstance(found, Sequence) and not isinstance(found, str):
        return [read(item) for item in found]
    return found


def _at(document: JsonValue, pointer: str) -> JsonValue:
    """Return what a pointer leads to, None where that is nothing."""
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
    """Write a number as text: an order 1001 of a platform is `1001` everywhere else."""
    if isinstance(value, Decimal):
        # The contract's texts are shorter than this; 1e999999 is not written out to learn that.
        return format(value, "f") if abs(value.adjusted()) <= _DIGITS else None
    return value


_DIGITS = 40


def _header(headers: Headers, name: str) -> str | None:
    value = dict(headers).get(name)
    return None if value is None else value.decode("utf-8", "replace") or None
