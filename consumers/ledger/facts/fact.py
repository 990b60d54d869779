"""The facts an event reports about money: what moved, in which direction, and what it cost.

A kind of transfer has two directions: a payment and its reversal, a refund and its failure, a
dispute and its return, a payout and its return. Fees and gas belong to the kind of the event that
reports them, so that the fee of a dispute is added to that of its payment.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from router.contract.event import Event


class Kind(StrEnum):
    """A kind of transfer."""

    MAIN = "main"
    """The payment or payout itself."""
    REFUND = "refund"
    DISPUTE = "dispute"


class Side(StrEnum):
    """One side of a transfer: one kind of amount that is reported about it."""

    SEEN = "seen"
    """Moved: received, paid out, refunded, disputed."""
    CLAIMED = "claimed"
    """Reported as due, not seen on chain."""
    BACK = "back"
    """Moved back: reversed, refund failed, dispute returned, payout returned."""
    FEE = "fee"
    FEE_BACK = "fee_back"
    GAS = "gas"


class Rank(IntEnum):
    """The furthest state the money of a payment has reached."""

    NOTHING = 0
    PARTIAL = 1
    PAID = 2


class MoneyFact(NamedTuple):
    """One amount that an event reports, a total without `movement`; None if it is unknown."""

    kind: Kind
    side: Side
    movement: str | None
    amount: Decimal | None
    currency: str | None
    rank: Rank


class Reported(NamedTuple):
    """A text and the moment it was reported for."""

    at: datetime
    text: str


RANKS: Final = {"underpaid": Rank.PARTIAL, "confirmed": Rank.PAID, "overpaid": Rank.PAID}

CALLING_OFF: Final = frozenset({"failed", "expired", "cancelled"})
"""Statuses without a transfer of money."""

_SIDES: Final = {
    "underpaid": (Kind.MAIN, Side.SEEN),
    "confirmed": (Kind.MAIN, Side.SEEN),
    "overpaid": (Kind.MAIN, Side.SEEN),
    "reversed": (Kind.MAIN, Side.BACK),
    "returned": (Kind.MAIN, Side.BACK),
    "refunded": (Kind.REFUND, Side.SEEN),
    "refund_failed": (Kind.REFUND, Side.BACK),
    "disputed": (Kind.DISPUTE, Side.SEEN),
    "dispute_returned": (Kind.DISPUTE, Side.BACK),
}
"""The side of each status that reports a transfer."""


def side_of(status: str) -> tuple[Kind, Side] | None:
    """Return the kind and side of the transfer that a status reports, None if it reports none."""
    return _SIDES.get(status)


def facts_of(event: Event) -> list[MoneyFact]:
    """Return the facts of an event; a pending one only announces money and has none.

    A payment or payout that was called off has costs, but no amount.
    """
    status = event.type.status
    side = side_of(status)
    if side is not None:
        return [*_amounts(event, *side), *_costs(event, side[0])]
    return list(_costs(event, Kind.MAIN)) if status in CALLING_OFF else []


def network_of_money(event: Event) -> str | None:
    """Return the network that an event names for the payment or payout itself."""
    return event.network if event.type.status in RANKS else None


def _amounts(event: Event, kind: Kind, side: Side) -> Iterator[MoneyFact]:
    rank = RANKS.get(event.type.status, Rank.PAID)
    if event.amount is None and event.movement_amount is None:
        yield MoneyFact(kind, side, event.movement, None, None, rank)
        return
    if event.amount_claimed and side is Side.SEEN and kind is Kind.MAIN:
        side = Side.CLAIMED
    if event.amount is not None:
        yield MoneyFact(kind, side, None, event.amount, event.currency, rank)
    if event.movement_amount is not None:
        yield MoneyFact(kind, side, event.movement, event.movement_amount, event.currency, rank)


def _costs(event: Event, kind: Kind) -> Iterator[MoneyFact]:
    movement = event.movement
    if event.fee is not None:
        yield MoneyFact(kind, Side.FEE, movement, event.fee, event.fee_currency, Rank.PAID)
    if event.gas is not None:
        yield MoneyFact(kind, Side.GAS, movement, event.gas, event.gas_currency, Rank.PAID)
    if event.fee_returned is not None:
        # One kind for all, since every event reports it of the same fees.
        returned = event.fee_returned
        yield MoneyFact(Kind.MAIN, Side.FEE_BACK, movement, returned, event.fee_currency, Rank.PAID)
