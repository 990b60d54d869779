"""Facts of a payment, folded so that neither their order nor their repetition matters. Pure.

A fact is never replaced by a later one. Of each amount the highest counts; only a reversal or an
operator lowers what was received. Of an operator's amounts the latest counts.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from router.contract.event import Event


class TransferKind(StrEnum):
    """Transfers of money, each with its opposite."""

    RECEIVED = "received"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    DISPUTE_RETURNED = "dispute_returned"


class MoneyKey(NamedTuple):
    """Identity of an amount within its payment.

    `movement` is empty for a total. `claimed_by` is the endpoint that reported an amount that was
    only claimed, empty for an amount that was seen. `currency` is empty for an unknown amount.
    """

    kind: TransferKind
    currency: str
    movement: str
    claimed_by: str


class ReportedAmount(Struct, frozen=True):
    """The highest amount reported, None if it is unknown, and the moment of the first report."""

    amount: Decimal | None
    first: datetime


class StatedKey(NamedTuple):
    """Identity of an operator's amount within its payment; `movement` is empty for a total."""

    kind: TransferKind
    movement: str


class StatedAmount(Struct, frozen=True, order=True):
    """An amount that an operator recorded; the latest counts, of two at one moment the highest.

    `moment` is when it was recorded, not when the money moved: a later record corrects an earlier.
    """

    moment: datetime
    amount: Decimal
    currency: str


class Price(NamedTuple):
    """A price that the gateway was given."""

    currency: str
    amount: Decimal


class ConversionKey(NamedTuple):
    """Currencies of a conversion, and the endpoint if the amount was only claimed."""

    currency: str
    into: str
    claimed_by: str


class Conversion(Struct, frozen=True, order=True):
    """A total and its value in another currency, as the gateway converted it at a moment."""

    amount: Decimal
    moment: datetime
    value: Decimal


class PaymentFacts(Struct, frozen=True):
    """Everything that was reported about one payment.

    `met` names where the gateway reported that its price is paid in full: an endpoint if the
    amount was only claimed, else the empty text. `stated` has the amounts that operators recorded;
    they count instead of those reported for the same key.
    """

    statuses: frozenset[str] = frozenset()
    money: Mapping[MoneyKey, ReportedAmount] = field(default_factory=dict)
    prices: frozenset[Price] = frozenset()
    met: frozenset[str] = frozenset()
    conversions: Mapping[ConversionKey, Conversion] = field(default_factory=dict)
    stated: Mapping[StatedKey, StatedAmount] = field(default_factory=dict)


_KINDS: Final[Mapping[str, TransferKind]] = {
    "underpaid": TransferKind.RECEIVED,
    "confirmed": TransferKind.RECEIVED,
    "overpaid": TransferKind.RECEIVED,
    "reversed": TransferKind.REVERSED,
    "refunded": TransferKind.REFUNDED,
    "refund_failed": TransferKind.REFUND_FAILED,
    "disputed": TransferKind.DISPUTED,
    "dispute_returned": TransferKind.DISPUTE_RETURNED,
}
"""Kinds of money by status; an amount with another status was not transferred."""


def add_event(facts: PaymentFacts, event: Event) -> PaymentFacts:
    """Return the facts with those of an event; equal to `facts` if it adds none."""
    status = event.type.status
    known = replace(facts, statuses=facts.statuses | {status}, prices=_prices(facts, event))
    kind = _KINDS.get(status)
    if kind is None:
        return known
    money, stated = dict(facts.money), dict(facts.stated)
    for key, reported in _money(kind, event):
        if event.recorded is None or reported.amount is None:
            money[key] = _joined(money.get(key), reported)
        else:
            place = StatedKey(kind, key.movement)
            new = StatedAmount(event.received_at, reported.amount, key.currency)
            stated[place] = max(stated.get(place, new), new)
    known = replace(known, money=money, stated=stated)
    return _valued(known, event) if kind is TransferKind.RECEIVED else known


def _prices(facts: PaymentFacts, event: Event) -> frozenset[Price]:
    if event.expected_amount is None or event.expected_currency is None:
        return facts.prices
    return facts.prices | {Price(event.expected_currency, event.expected_amount)}


def _money(kind: TransferKind, event: Event) -> list[tuple[MoneyKey, ReportedAmount]]:
    """Return an event's amounts: of its movement, of the total, or one that is unknown."""
    currency, claimed_by, moment = event.currency or "", _claimed_by(event), event.moment
    amounts = (("", event.amount), (event.movement or "", event.movement_amount))
    known = [
        (MoneyKey(kind, currency, movement, claimed_by), ReportedAmount(amount, moment))
        for movement, amount in amounts
        if amount is not None
    ]
    unknown = MoneyKey(kind, "", event.movement or "", claimed_by)
    return known or [(unknown, ReportedAmount(None, moment))]


def _valued(facts: PaymentFacts, event: Event) -> PaymentFacts:
    """Add what the gateway reports about the value of the money received."""
    claimed_by = _claimed_by(event)
    met = facts.met | {claimed_by} if event.price_met else facts.met
    conversions = dict(facts.conversions)
    if event.amount is not None and event.converted is not None:
        key = ConversionKey(event.currency or "", event.converted_currency or "", claimed_by)
        new = Conversion(event.amount, event.moment, event.converted)
        conversions[key] = max(conversions.get(key, new), new)
    return replace(facts, met=met, conversions=conversions)


def _joined(known: ReportedAmount | None, new: ReportedAmount) -> ReportedAmount:
    if known is None:
        return new
    amounts = [each for each in (known.amount, new.amount) if each is not None]
    return ReportedAmount(max(amounts, default=None), min(known.first, new.first))


def _claimed_by(event: Event) -> str:
    # An operator records what was seen.
    return event.endpoint if event.amount_claimed and event.recorded is None else ""
