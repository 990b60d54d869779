"""The order: the purchase, as published by the merchant's platform.

payrouter only reads orders. `order_fields` defines where each fact is in the platform's JSON.
"""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from router.contract.amounts import Amount, value_text
from router.contract.event import Text, event_id, payment_key

MAX_QUANTITY = 10**9
MAX_LINES = 1000
MAX_SECONDS = 10 * 366 * 24 * 3600
"""Ten years: no reservation needs to last longer."""

_BEYOND = 10**18
"""Above all integers used here: `1e1000000` is never expanded just to find it too large."""

FINGERPRINT_VERSION = "1"

_FROZEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class OrderType(StrEnum):
    """Kinds of order messages."""

    PLACED = "order.placed"
    CANCELLED = "order.cancelled"


def _whole(value: object) -> object:
    """Convert a Decimal with an integer value to int; refuse floats."""
    if isinstance(value, bool | float):
        message = "a whole number, such as 2"
        raise ValueError(message)  # noqa: TRY004 - pydantic takes ValueError
    if isinstance(value, Decimal) and abs(value) < _BEYOND and value == value.to_integral_value():
        return int(value)
    return value


Whole = Annotated[int, BeforeValidator(_whole)]


class OrderLine(BaseModel):
    """An article and its quantity."""

    model_config = _FROZEN

    sku: Text
    quantity: Annotated[Whole, Field(ge=1, le=MAX_QUANTITY)]


class OrderCustomer(BaseModel):
    """The customer; `language` is a tag such as `de` or `pt-BR`."""

    model_config = _FROZEN

    id: Text | None = None
    email: Text | None = None
    language: Text | None = None


class ExpectedPayment(BaseModel):
    """One way to recognize a payment of this order, within its account.

    By the order number that the gateway reports (`reference`), by the gateway's own id
    (`provider` and `provider_reference`), or by the receiving address. If an entry has
    several of these, any of them is enough.
    """

    model_config = _FROZEN

    reference: Text | None = None
    provider: Text | None = None
    provider_reference: Text | None = None
    address: Text | None = None

    @model_validator(mode="after")
    def _recognizes(self) -> Self:
        if (self.provider is None) != (self.provider_reference is None):
            message = "provider and provider_reference must be given together"
            raise ValueError(message)
        if self.reference is None and self.provider is None and self.address is None:
            message = "needs reference, provider with provider_reference, or address"
            raise ValueError(message)
        return self


class Order(BaseModel):
    """One message of the platform about one order.

    `id` is the id of the message; `account` and `reference` identify the order. A placed
    order needs `lines`, which may be empty; `total` needs `currency`.
    `time_to_live_seconds` is how long its reservation lasts. Without `payments`, its
    payments are recognized by `reference`.
    """

    model_config = _FROZEN

    id: UUID
    type: OrderType
    account: Text
    reference: Text
    lines: Annotated[tuple[OrderLine, ...] | None, Field(max_length=MAX_LINES)] = None
    total: Amount | None = None
    currency: Text | None = None
    customer: OrderCustomer = OrderCustomer()
    time_to_live_seconds: Annotated[Whole, Field(ge=1, le=MAX_SECONDS)] | None = None
    payments: Annotated[tuple[ExpectedPayment, ...], Field(max_length=MAX_LINES)] = ()
    at: AwareDatetime | None = None

    @field_validator("customer", mode="before")
    @classmethod
    def _no_customer(cls, value: object) -> object:
        return OrderCustomer() if value is None else value

    @field_validator("payments", mode="before")
    @classmethod
    def _no_payments(cls, value: object) -> object:
        return () if value is None else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type is OrderType.PLACED and self.lines is None:
            message = "lines: missing; an order.placed needs them, [] if nothing was ordered"
            raise ValueError(message)
        if self.total is not None and self.currency is None:
            message = "total needs currency"
            raise ValueError(message)
        return self

    @property
    def key(self) -> bytes:
        """The Kafka key, the same as of the order's payments."""
        return payment_key(self.account, self.reference, "", None)

    @property
    def fingerprint(self) -> str:
        """Facts that a redelivery must repeat: version, type, account, reference, lines, total."""
        lines = None
        if self.lines is not None:
            lines = [[line.sku, line.quantity] for line in self.lines]
        total = None if self.total is None else value_text(self.total)
        facts = [FINGERPRINT_VERSION, self.type.value, self.account, self.reference]
        return json.dumps(
            [*facts, lines, total, self.currency], ensure_ascii=False, separators=(",", ":")
        )

    @property
    def recognized_by(self) -> tuple[ExpectedPayment, ...]:
        """Ways to recognize its payments: `payments`, or else its reference."""
        return self.payments or (ExpectedPayment(reference=self.reference),)


def order_message_id(kind: OrderType, account: str, *identity: str) -> UUID:
    """Derive a message's id from the facts that distinguish it from others of its type."""
    return event_id("order", account, kind.value, *identity)
