"""Which money an event reports, and the facts of its subject after it. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from consumers.notifications.changes.known import KnownFacts, with_status
from consumers.notifications.changes.money import (
    NOTHING,
    MoneyReport,
    ReportedMovement,
    ReportedSums,
    absorb,
)
from router.contract.event import Event

MAIN = "main"
"""The money that a payment receives or a payout pays out."""

CLAIMED = "claimed"
"""The same, as far as the gateway only reports it as due."""

_MONEY: Mapping[str, tuple[str, bool]] = {
    **dict.fromkeys(("underpaid", "confirmed", "overpaid"), (MAIN, False)),
    **dict.fromkeys(("reversed", "returned"), (MAIN, True)),
    "refunded": ("refund", False),
    "refund_failed": ("refund", True),
    "disputed": ("dispute", False),
    "dispute_returned": ("dispute", True),
}
"""The kind of money that a status reports, and whether it moves back."""

TAKEN_BACK = frozenset(s for s, (kind, undone) in _MONEY.items() if kind != MAIN or undone)
"""Statuses that report money that went back, or came back after that."""


class MoneyKind(Struct, frozen=True):
    """A kind of money of an event, and its direction."""

    name: str
    undone: bool


def money_kind(event: Event) -> MoneyKind | None:
    """Return the kind of money that an event reports; None if it reports none."""
    name, undone = _MONEY.get(event.type.status, (None, False))
    if name is None:
        return None
    amounts = (event.amount, event.movement_amount)
    claimed = event.amount_claimed and not undone and any(each is not None for each in amounts)
    return MoneyKind(CLAIMED if name == MAIN and claimed else name, undone)


def after_event(
    known: KnownFacts, movement: ReportedMovement, event: Event
) -> tuple[KnownFacts, ReportedMovement]:
    """Return a subject's facts and the movement that an event names, after the event."""
    # Not `occurred_at`: some gateways report the time of the transfer with every status.
    known = with_status(known, event.type.status, event.received_at)
    kind = money_kind(event)
    if kind is None:
        return known, movement
    report = MoneyReport(
        undone=kind.undone,
        currency=event.currency,
        total=event.amount,
        movement=event.movement,
        part=event.movement_amount,
    )
    money, movement = absorb(known.of(kind.name), movement, report)
    return replace(known, money={**known.money, kind.name: money}), movement


def standing(known: KnownFacts, kind: str, currency: str) -> Decimal:
    """Return the money of a kind that moved and was not undone; claimed money counts as well."""
    seen = known.of(kind).sums.get(currency, ReportedSums())
    if kind not in {MAIN, CLAIMED}:
        return seen.standing
    seen = known.of(MAIN).sums.get(currency, ReportedSums())
    if CLAIMED not in known.money:
        return seen.standing
    claimed = known.of(CLAIMED).sums.get(currency, ReportedSums()).standing
    left = claimed - seen.undone if claimed > seen.undone else NOTHING
    return max(seen.standing, left)


def total_of(known: KnownFacts, event: Event) -> Decimal | None:
    """Return the total known of what an event reports, in its currency; None if unknown."""
    kind = money_kind(event)
    if kind is None or event.currency is None:
        return None
    if kind.undone:
        return known.of(kind.name).sums.get(event.currency, ReportedSums()).undone or None
    return standing(known, kind.name, event.currency) or None
