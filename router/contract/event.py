"""The event: one state change of a payment, in one vocabulary for all gateways."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from router.contract.amounts import Amount, SignedAmount, value_text

EVENT_NAMESPACE = UUID("6f6b0f4e-3d0e-5c1b-9a57-7f5a2f0c9d11")
"""Namespace of event ids. Never change it: every id ever published depends on it."""

MAX_TEXT = 512
"""Maximum number of characters of each text field except in `raw`."""

FINGERPRINT_VERSION = "1"

FINGERPRINT = (
    "version",
    "type",
    "account",
    "reference",
    "provider_reference",
    "amount",
    "currency",
    "movement",
    "movement_amount",
)
"""Names of the items of a fingerprint, in order."""

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
    """Kinds of state changes; the part before the dot names the topic."""

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

    @property
    def family(self) -> str:
        """`payment`, `payout` or `subscription`: also the name of the topic."""
        return self.value.partition(".")[0]

    @property
    def status(self) -> str:
        """The part after the dot."""
        return self.value.partition(".")[2]


# Control characters (PostgreSQL cannot store NUL, logs must not contain others) and lone surrogates
# (which UTF-8 cannot encode).
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text, or raise ValueError if a store or a log could not hold it."""
    if _UNSTORABLE.search(text) is not None:
        message = "text without control characters or lone surrogates"
        raise ValueError(message)
    return text


def text_of(detail: str) -> str:
    """Make any text valid for a field of the contract: escaped to ASCII, truncated, never empty."""
    if detail and len(detail) <= MAX_TEXT and _UNSTORABLE.search(detail) is None:
        return detail
    return ascii(detail)[1:-1][:MAX_TEXT] or "-"


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(storable)]


class Customer(BaseModel):
    """The payer, as far as the gateway reports it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Text | None = None
    email: Text | None = None


class Verification(BaseModel):
    """How the delivery was verified."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    scheme: Text
    key: Text = Field(description="Fingerprint of the key that matched, never the key")


class Raw(BaseModel):
    """Everything an auditor needs to verify the signature again years later.

    `target` has `{token}` in place of a URL token; `headers` has only the headers that
    the scheme needs; `body` is the bytes as received, as text if that is shorter and as
    base64 otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    method: str
    target: str
    headers: dict[str, str]
    body: str
    body_encoding: Literal["utf-8", "base64"]


class Event(BaseModel):
    """One state change of one payment, payout or subscription.

    Unknown facts are None, never invented. `amount` is the total so far for
    `provider_reference`, not an increment: received, paid out, refunded or disputed, by
    the event's type. `movement_amount` is the amount of one transfer, which `movement`
    names; both amounts are in `currency`. Only type, account, references, amounts,
    currency and movement are part of the fingerprint. Readers ignore unknown fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    type: EventType
    provider: Text
    endpoint: Text
    account: Text
    reference: Text | None = None
    provider_reference: Text | None = None
    amount: Amount | None = None
    currency: Text | None = None
    movement: Text | None = Field(
        None,
        description="The gateway's id of one transfer: this refund, dispute, return or partial"
        " payment",
    )
    movement_amount: Amount | None = Field(
        None, description="Amount of the transfer that `movement` names, in `currency`"
    )
    amount_claimed: bool | None = Field(
        None,
        description="True if `amount` is what the gateway reports as due, not seen on chain",
    )
    expected_amount: Amount | None = None
    expected_currency: Text | None = None
    converted: Amount | None = Field(
        None, description="`amount` in another currency, as the gateway converted it"
    )
    converted_currency: Text | None = None
    price_met: bool | None = Field(
        None,
        description="True if the gateway reports that its invoice is paid in full. Null: unknown",
    )
    fee: SignedAmount | None = Field(None, description="The gateway's fee; negative: a rebate")
    fee_currency: Text | None = None
    fee_returned: Amount | None = Field(
        None, description="Total of the fee that the gateway gave back, in `fee_currency`"
    )
    gas: Amount | None = None
    gas_currency: Text | None = None
    network: Text | None = None
    chain_id: Text | None = None
    tx_hash: Text | None = None
    from_address: Text | None = None
    to_address: Text | None = None
    customer: Customer = Customer()
    occurred_at: AwareDatetime | None = None
    received_at: AwareDatetime
    test: bool | None = Field(
        None,
        description="True: the money is not real. False: the gateway reports real money. Null:"
        " unknown",
    )
    unread: tuple[Text, ...] = Field(
        (),
        description="Descriptive fields that could not be parsed from the delivery; they are null"
        " in the event",
    )
    verification: Verification
    raw: Raw | None = None
    raw_event: UUID | None = Field(
        None,
        description="Id of the event that has `raw`, if the delivery became several events",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.reference is None and self.provider_reference is None:
            message = "an event needs reference or provider_reference"
            raise ValueError(message)
        if self.movement_amount is not None and self.movement is None:
            message = "movement_amount needs movement"
            raise ValueError(message)
        for amount, currency in _MONEY:
            if getattr(self, amount) is not None and getattr(self, currency) is None:
                message = f"{amount} needs {currency}"
                raise ValueError(message)
        return self

    @property
    def key(self) -> bytes:
        """The Kafka key: within a topic, events of one order keep the order of publication."""
        return payment_key(self.account, self.reference, self.provider, self.provider_reference)

    @property
    def fingerprint(self) -> str:
        """The facts that a redelivery must repeat."""
        return fingerprint(self)

    @property
    def moment(self) -> datetime:
        """Time of the state change by the gateway's clock, or else the time of arrival."""
        return self.occurred_at or self.received_at


_MONEY = (
    ("amount", "currency"),
    ("movement_amount", "currency"),
    ("expected_amount", "expected_currency"),
    ("converted", "converted_currency"),
    ("fee", "fee_currency"),
    ("fee_returned", "fee_currency"),
    ("gas", "gas_currency"),
)


def payment_key(
    account: str, reference: str | None, provider: str, provider_reference: str | None
) -> bytes:
    """Build the Kafka key of an order, or of a payment without an order."""
    if reference is not None:
        return _canonical([account, reference])
    return _canonical([account, provider, provider_reference])


def event_id(provider: str, account: str, *identity: str) -> UUID:
    """Derive an event's id from the gateway's own identity of this state change.

    The id is the same at every endpoint and edge, so that redeliveries are recognized.
    """
    return uuid5(EVENT_NAMESPACE, _canonical([provider, account, *identity]).decode())


def fingerprint(event: Event) -> str:
    """Build the fingerprint: the facts that a redelivery must repeat, as a canonical JSON array.

    The items are version, type, account, reference, provider_reference, amount (by
    value), currency, movement and movement_amount (by value).
    """
    facts = [event.type.value, event.account, event.reference, event.provider_reference]
    money = [_value(event.amount), event.currency, event.movement, _value(event.movement_amount)]
    return _canonical([FINGERPRINT_VERSION, *facts, *money]).decode()


def _value(amount: Decimal | None) -> str | None:
    return None if amount is None else value_text(amount)


def contradicts(first: str, second: str) -> bool:
    """Return whether two fingerprints of one event id contradict each other."""
    return bool(contradictions(first, second))


def contradictions(first: str, second: str) -> Sequence[int]:
    """Return the indexes at which two fingerprints differ; null does not contradict a value."""
    pairs = enumerate(zip(json.loads(first), json.loads(second), strict=True))
    return [place for place, (a, b) in pairs if a is not None and b is not None and a != b]


def _canonical(values: list[str | None]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
