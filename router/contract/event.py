"""The event: one state change of a payment, in one vocabulary for all gateways."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from router.contract.amounts import Amount, SignedAmount, value_text
from router.contract.fields import Text, described
from router.contract.identity import (
    FINGERPRINT_VERSION,
    OPERATOR,
    canonical,
    payment_key,
    uuid_of,
)
from router.contract.operator import Recorded

EVENT_NAMESPACE = UUID("6f6b0f4e-3d0e-5c1b-9a57-7f5a2f0c9d11")
"""Namespace of event ids. Never change it: every id ever published depends on it."""

DESCRIPTIVE = (
    "network",
    "chain_id",
    "tx_hash",
    "from_address",
    "to_address",
    "customer.id",
    "customer.email",
    "occurred_at",
)
"""Fields that describe a payment and do not affect its amount, state or order."""


class EventType(StrEnum):
    """Kinds of state changes; the part before the dot names the topic.

    Three kinds take money from a payment: the merchant refunds it, the payer disputes it,
    or the gateway reverses it. `refund_failed` and `dispute_returned` report money that
    came back; `payout.returned` a payout that did. Opening or deciding a dispute moves no
    money, and neither does the release of an authorization.
    """

    PAYMENT_PENDING = "payment.pending"
    PAYMENT_CONFIRMED = "payment.confirmed"
    PAYMENT_UNDERPAID = "payment.underpaid"
    PAYMENT_OVERPAID = "payment.overpaid"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_CANCELLED = "payment.cancelled"
    PAYMENT_REVERSED = "payment.reversed"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_REFUND_FAILED = "payment.refund_failed"
    PAYMENT_DISPUTED = "payment.disputed"
    PAYMENT_DISPUTE_RETURNED = "payment.dispute_returned"
    PAYOUT_PENDING = "payout.pending"
    PAYOUT_CONFIRMED = "payout.confirmed"
    PAYOUT_FAILED = "payout.failed"
    PAYOUT_CANCELLED = "payout.cancelled"
    PAYOUT_RETURNED = "payout.returned"
    SUBSCRIPTION_RENEWED = "subscription.renewed"
    SUBSCRIPTION_EXPIRED = "subscription.expired"

    family: str
    """`payment`, `payout` or `subscription`: also the name of the topic."""
    status: str
    """The part after the dot."""

    def __init__(self, word: str) -> None:
        """Split the word once: both parts are read several times for each event."""
        self.family, _, self.status = word.partition(".")


class Customer(BaseModel):
    """The payer, as far as the gateway reports it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[
        Text | None, described("The merchant's id of the customer", "CustNo_00240101")
    ] = None
    email: Annotated[Text | None, described("E-mail address", "payer@shop.example")] = None


class Verification(BaseModel):
    """How the delivery was verified."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    scheme: Annotated[Text, described("Name of the signature scheme", "blockatm-v2-raw")]
    key: Annotated[
        Text, described("Fingerprint of the key that matched, never the key", "fp:3c1a9d")
    ]


class Raw(BaseModel):
    """Everything an auditor needs to verify the signature again years later."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    method: Annotated[str, described("HTTP method", "POST")]
    target: Annotated[
        str,
        described(
            "Path and query as received, with `{token}` in place of a URL token",
            "/webhooks/blockatm-main",
        ),
    ]
    headers: Annotated[
        dict[str, str],
        described(
            "Only the headers that the scheme needs, names in lower case",
            {"blockatm-request-time": "1743060268000", "blockatm-signature-v2": "26a0431d…"},
        ),
    ]
    body: Annotated[
        str,
        described(
            "The bytes as received: as text if that is shorter, otherwise as base64",
            '{"id":8210003616,"status":"SUCCESS","symbol":"USDT","amount":"2000.00"}',
        ),
    ]
    body_encoding: Annotated[
        Literal["utf-8", "base64"], described("Encoding of `body`", "utf-8", "base64")
    ]


class Event(BaseModel):
    """One state change of one payment, payout or subscription.

    Unknown facts are null, never invented. `amount` is a total, `movement_amount` one
    transfer. Only type, account, references, amounts, currency and movement are part of
    the fingerprint. Readers ignore unknown fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[
        UUID,
        described(
            "The same for every delivery of this state change",
            "5cb2d56f-233b-5534-95af-5f0a6c5c475f",
        ),
    ]
    type: Annotated[
        EventType,
        described("What happened; the part before the dot names the topic", "payment.confirmed"),
    ]
    provider: Annotated[
        Text, described("The gateway; `operator` for a fact that an operator recorded", "blockatm")
    ]
    endpoint: Annotated[Text, described("The endpoint that received it", "blockatm-main")]
    account: Annotated[Text, described("The merchant account: whose money it is", "shop-eu")]
    reference: Annotated[Text | None, described("The merchant's order", "OrderNo_202504010023")] = (
        None
    )
    provider_reference: Annotated[
        Text | None,
        described(
            "The gateway's id of the payment or payout; a gateway with one payment per order uses"
            " the order's reference. Events about money always have it",
            "8210003616",
        ),
    ] = None
    amount: Annotated[
        Amount | None,
        described(
            "The total so far for `provider_reference`, not an increment: received, paid out,"
            " refunded or disputed, by the event's type",
            "2000.00",
        ),
    ] = None
    currency: Annotated[
        Text | None, described("Currency of `amount` and `movement_amount`", "USDT", "EUR")
    ] = None
    movement: Annotated[
        Text | None,
        described(
            "The gateway's id of one transfer: this refund, dispute, return or partial payment",
            "re_3Nq1Kd",
        ),
    ] = None
    movement_amount: Annotated[
        Amount | None,
        described("Amount of the transfer that `movement` names, in `currency`", "30.00"),
    ] = None
    amount_claimed: Annotated[
        bool | None,
        described("True if `amount` is what the gateway reports as due, not seen on chain", True),
    ] = None
    expected_amount: Annotated[
        Amount | None, described("The price that the gateway was given", "2000.00")
    ] = None
    expected_currency: Annotated[
        Text | None, described("Currency of `expected_amount`", "USDT")
    ] = None
    converted: Annotated[
        Amount | None,
        described("`amount` in another currency, as the gateway converted it", "1851.85"),
    ] = None
    converted_currency: Annotated[Text | None, described("Currency of `converted`", "EUR")] = None
    price_met: Annotated[
        bool | None,
        described(
            "True if the gateway reports that its price is paid in full, false if it reports that"
            " it is not. Null: unknown",
            True,
        ),
    ] = None
    fee: Annotated[
        SignedAmount | None, described("The gateway's fee; negative: a rebate", "2", "-0.10")
    ] = None
    fee_currency: Annotated[
        Text | None, described("Currency of `fee` and `fee_returned`", "USDT")
    ] = None
    fee_returned: Annotated[
        Amount | None, described("Total of the fee that the gateway gave back", "0.50")
    ] = None
    gas: Annotated[Amount | None, described("Cost of the transaction on chain", "1")] = None
    gas_currency: Annotated[Text | None, described("Currency of `gas`", "USDT")] = None
    network: Annotated[Text | None, described("Name of the chain", "Ethereum", "TRON")] = None
    chain_id: Annotated[Text | None, described("Id of the chain", "1")] = None
    tx_hash: Annotated[
        Text | None, described("Transaction on chain", "0x7614a9840d9422feaef4671e0ee98dd7")
    ] = None
    from_address: Annotated[
        Text | None, described("The payer's address", "0xa9e358e33a57e67c9b84618a52f0194c345c8e35")
    ] = None
    to_address: Annotated[
        Text | None,
        described("The receiving address", "0x2d7ff2dc166ae09542c749be052028e43825cde7"),
    ] = None
    customer: Annotated[
        Customer, described("The payer, as far as known", {"id": "CustNo_00240101", "email": None})
    ] = Customer()
    occurred_at: Annotated[
        AwareDatetime | None,
        described("Time of the state change by the gateway's clock", "2026-11-22T09:59:58Z"),
    ] = None
    received_at: Annotated[
        AwareDatetime, described("Time of arrival at the edge", "2026-11-22T10:00:00.123456Z")
    ]
    test: Annotated[
        bool | None,
        described(
            "True: the money is not real. False: the gateway reports real money. Null: unknown",
            False,
        ),
    ] = None
    unread: Annotated[
        tuple[Text, ...],
        described(
            "Descriptive fields that could not be parsed from the delivery; they are null in the"
            " event",
            ["occurred_at", "customer.email"],
        ),
    ] = ()
    verification: Annotated[
        Verification,
        described(
            "How the delivery was verified", {"scheme": "blockatm-v2-raw", "key": "fp:3c1a9d"}
        ),
    ]
    raw: Annotated[
        Raw | None,
        described(
            "The delivery as received; null if `raw_event` has it",
            {
                "method": "POST",
                "target": "/webhooks/blockatm-main",
                "headers": {"blockatm-request-time": "1743060268000"},
                "body": '{"id":8210003616,"status":"SUCCESS"}',
                "body_encoding": "utf-8",
            },
        ),
    ] = None
    raw_event: Annotated[
        UUID | None,
        described(
            "Id of the event that has `raw`, if the delivery became several events",
            "f3a110f4-b1ff-523f-b9dc-0daafc035651",
        ),
    ] = None
    recorded: Annotated[
        Recorded | None,
        described(
            "Who recorded this fact, and why; only if `provider` is `operator`",
            {
                "by": "anna",
                "reason": "seen on chain, block 19000000",
                "provider": "resmic",
                "version": "3f2a9c01d4e8",
                "replaces": None,
            },
        ),
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problem = incompleteness(self)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def key(self) -> bytes:
        """The Kafka key: within a topic, events of one order keep the order of publication."""
        return payment_key(self.account, self.reference, self.gateway, self.provider_reference)

    @property
    def gateway(self) -> str:
        """The gateway of the payment or payout: the provider, or the one an operator named."""
        return self.provider if self.recorded is None else self.recorded.provider

    @property
    def fingerprint(self) -> str:
        """The facts that a redelivery must repeat."""
        return fingerprint(self)

    @property
    def about_money(self) -> bool:
        """Whether a payment or payout, or any amount, is part of the event."""
        amounts = (getattr(self, amount) for amount, _ in MONEY)
        return self.type.family in _MONEYED or any(amount is not None for amount in amounts)

    @property
    def moment(self) -> datetime:
        """Time of the state change by the gateway's clock, or else the time of arrival."""
        return self.occurred_at or self.received_at


_MONEYED = frozenset({"payment", "payout"})

MONEY = (
    ("amount", "currency"),
    ("movement_amount", "currency"),
    ("expected_amount", "expected_currency"),
    ("converted", "converted_currency"),
    ("fee", "fee_currency"),
    ("fee_returned", "fee_currency"),
    ("gas", "gas_currency"),
)
"""The fields with an amount, each with the field that has its currency."""


def incompleteness(event: Event) -> str | None:
    """Return what an event lacks besides its required fields, None if it is complete."""
    if (event.provider == OPERATOR) != (event.recorded is not None):
        return f"recorded belongs to the events of provider {OPERATOR}, and to no others"
    if event.reference is None and event.provider_reference is None:
        return "an event needs reference or provider_reference"
    if event.movement_amount is not None and event.movement is None:
        return "movement_amount needs movement"
    for amount, currency in MONEY:
        if getattr(event, amount) is not None and getattr(event, currency) is None:
            return f"{amount} needs {currency}"
    return None


def event_id(provider: str, account: str, *identity: str) -> UUID:
    """Derive an event's id from the gateway's own identity of this state change.

    The id is the same at every endpoint and edge, so that redeliveries are recognized.
    """
    return uuid_of(EVENT_NAMESPACE, canonical([provider, account, *identity]))


def fingerprint(event: Event) -> str:
    """Build the fingerprint: the facts that a redelivery must repeat, as a canonical JSON array.

    Its items are those that `router.contract.identity` names; amounts are compared by value.
    """
    facts = [event.type.value, event.account, event.reference, event.provider_reference]
    money = [_value(event.amount), event.currency, event.movement, _value(event.movement_amount)]
    return canonical([FINGERPRINT_VERSION, *facts, *money]).decode()


def _value(amount: Decimal | None) -> str | None:
    return None if amount is None else value_text(amount)
