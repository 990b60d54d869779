"""The order: the purchase, as published by the merchant's platform.

payrouter reads orders, and publishes only what an operator decides about one. `order_fields`
defines where each fact is in the platform's JSON.
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
from router.contract.event import event_id
from router.contract.fields import Text, described
from router.contract.identity import payment_key
from router.contract.operator import Decided

MAX_QUANTITY = 10**9
MAX_LINES = 1000
MAX_SECONDS = 10 * 366 * 24 * 3600
"""Ten years: no reservation needs to last longer."""

_BEYOND = 10**18
"""Above all integers used here: `1e1000000` is never expanded just to find it too large."""

FINGERPRINT_VERSION = "1"

_FROZEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class OrderType(StrEnum):
    """Kinds of order messages; operators of payrouter decide, the platform does the rest."""

    PLACED = "order.placed"
    CANCELLED = "order.cancelled"
    DECIDED = "order.decided"


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

    sku: Annotated[Text, described("The article", "mug-blue")]
    quantity: Annotated[Whole, Field(ge=1, le=MAX_QUANTITY), described("Number of pieces", 2)]


class OrderCustomer(BaseModel):
    """The customer, as far as the platform reports it."""

    model_config = _FROZEN

    id: Annotated[Text | None, described("The platform's id of the customer", "C-1007")] = None
    email: Annotated[
        Text | None, described("Address for messages about the order", "payer@shop.example")
    ] = None
    language: Annotated[Text | None, described("Language tag", "de", "pt-BR")] = None


class ExpectedPayment(BaseModel):
    """One way to recognize a payment of this order, within its account.

    By the order number that the gateway reports (`reference`), by the gateway's own id
    (`provider` and `provider_reference`), or by the receiving address. If an entry has
    several of these, any of them is enough.
    """

    model_config = _FROZEN

    reference: Annotated[
        Text | None, described("The order number that the gateway reports", "A-1")
    ] = None
    provider: Annotated[
        Text | None, described("The gateway; needs `provider_reference`", "resmic")
    ] = None
    provider_reference: Annotated[
        Text | None,
        described(
            "The gateway's id of the payment; needs `provider`",
            "591abe63-aa61-411d-a419-0b546729bbd0",
        ),
    ] = None
    address: Annotated[
        Text | None,
        described("The address that receives the payment", "3PFoGK63cVVUWnd2vu7W1kM83NXUfvzMqM"),
    ] = None

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

    `account` and `reference` identify the order. A placed order needs `lines`, which may
    be empty; `total` needs `currency`.
    """

    model_config = _FROZEN

    id: Annotated[UUID, described("Id of the message", "0c3b7c0e-8f0a-5d2f-9a51-7f3d6f0e2b11")]
    type: Annotated[OrderType, described("What happened to the order", "order.placed")]
    account: Annotated[Text, described("The merchant account", "shop-eu")]
    reference: Annotated[Text, described("The order number", "A-1")]
    lines: Annotated[
        tuple[OrderLine, ...] | None,
        Field(max_length=MAX_LINES),
        described("Articles to reserve", [{"sku": "mug-blue", "quantity": 2}]),
    ] = None
    total: Annotated[Amount | None, described("Amount that the customer has to pay", "3000.00")] = (
        None
    )
    currency: Annotated[Text | None, described("Currency of `total`", "EUR")] = None
    customer: Annotated[
        OrderCustomer, described("The customer", {"id": "C-1007", "email": None, "language": "de"})
    ] = OrderCustomer()
    time_to_live_seconds: Annotated[
        Annotated[Whole, Field(ge=1, le=MAX_SECONDS)] | None,
        described("Duration of its reservation; null: as configured", 1800),
    ] = None
    payments: Annotated[
        tuple[ExpectedPayment, ...],
        Field(max_length=MAX_LINES),
        described(
            "Ways to recognize its payments; without any, by `reference`",
            [
                {
                    "reference": None,
                    "provider": "resmic",
                    "provider_reference": "591abe63-aa61-411d-a419-0b546729bbd0",
                    "address": None,
                }
            ],
        ),
    ] = ()
    at: Annotated[
        AwareDatetime | None, described("Time of the message", "2026-11-22T09:58:00Z")
    ] = None
    decided: Annotated[
        Decided | None,
        described(
            "What an operator decided; only in `order.decided`",
            {
                "decision": "accept",
                "by": "anna",
                "reason": "paid in cash at the counter",
                "shown": "3f2a9c01d4e8",
                "saw_cancelled": False,
                "saw_refunded": False,
            },
        ),
    ] = None

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
        if (self.type is OrderType.DECIDED) != (self.decided is not None):
            message = "decided belongs to order.decided, and to no other message"
            raise ValueError(message)
        if self.decided is not None and self.at is None:
            message = "at: missing; an order.decided needs the time of the decision"
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
