"""The amounts a position implies in the books, and the postings of an event. Pure.

The amounts of a position are a function of its facts alone (`assess`). An event posts the
difference it makes to them. So money that is reported twice, by different events or in another
order, is booked once.

| fact | posting, in currency and network of each amount |
|---|---|
| payment confirmed or overpaid, less what was reversed | wallet +amount, payments -amount |
| … above the expected amount, in the same currency | the surplus: suspense instead of payments |
| payment underpaid | wallet +amount, suspense -amount until it is confirmed |
| … claimed by the gateway, not seen on chain | claimed instead of wallet until it is seen |
| payout confirmed | payouts +amount, wallet -amount |
| payout returned | wallet +amount, returns -amount |
| fee, less what was returned, or gas | fees or gas +amount, wallet -amount |
| refunded, disputed, less what came back | refunds or disputes +amount, wallet -amount |
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from consumers.ledger.chart import LedgerAccount, Purpose, ledger_account
from consumers.ledger.facts.booked import (
    Booked,
    Spot,
    Spread,
    booked_of,
    currencies,
    minus,
    portion,
    sum_of,
)
from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.fact import Kind, Rank, Side
from consumers.ledger.facts.findings import findings_of
from consumers.ledger.facts.fold import Fold, earliest
from consumers.ledger.facts.position import Position
from consumers.runtime.cases.finding import Finding


class PostingPlace(NamedTuple):
    """The account and currency an amount is posted to."""

    account: LedgerAccount
    currency: str


AmountsByPlace = Mapping[PostingPlace, Decimal]
"""Nonzero amounts by account and currency; they sum to zero per currency."""


class Assessment(Struct, frozen=True):
    """What a position's facts mean: its amounts in the books, and its cases."""

    amounts: AmountsByPlace
    findings: Sequence[Finding] = ()
    is_claim: bool = False


NOTHING = Assessment({})
"""What a position without events means."""


class _Move(NamedTuple):
    """A transfer of money from one purpose to another."""

    amounts: Spread
    source: Purpose
    target: Purpose


def assess(position: Position) -> Assessment:
    """Return the total amounts in the books that a position's facts imply, and its cases."""
    return paid_once(position) or assess_all(position)


def paid_once(position: Position) -> Assessment | None:
    """Return the assessment of a payment of which one amount was seen, and nothing else reported.

    Most payments are of this kind. It is the one of `assess_all`, in less time; None for others.
    """
    fold = position.totals.get(Kind.MAIN)
    if fold is None or not _is_only_paid(position, fold):
        return None
    ((currency, amounts),) = fold.slots[Side.SEEN].amounts.items()
    spot = Spot(currency, earliest(position.networks) or fold.network or "")
    return Assessment(
        {
            _place(position, Purpose.WALLET, spot): amounts.highest,
            _place(position, Purpose.PAYMENTS, spot): amounts.highest.copy_negate(),
        },
        findings=[],
    )


def _is_only_paid(position: Position, total: Fold) -> bool:
    if position.family != "payment" or position.rank is not Rank.PAID or position.expected:
        return False
    if position.called_off is not None or position.tally or len(position.totals) > 1:
        return False
    seen = total.slots.get(Side.SEEN)
    if seen is None or len(total.slots) > 1 or len(total.networks) > 1:
        return False
    return seen.is_undisputed and all(each.highest > 0 for each in seen.amounts.values())


def assess_all(position: Position) -> Assessment:
    """Return the assessment of a position from all kinds of facts."""
    with exact():
        booked = booked_of(position)
        amounts = _placed(position, booked)
        return Assessment(amounts, findings_of(position, booked), booked.is_claim)


def implied(position: Position) -> AmountsByPlace:
    """Return the total amounts in the books that a position's facts imply."""
    return assess(position).amounts


def difference(before: AmountsByPlace, after: AmountsByPlace) -> AmountsByPlace:
    """Return the postings that change the books from `before` to `after`."""
    if not before:
        return after
    if before == after:
        return {}
    with exact():
        changes = {
            place: after.get(place, Decimal(0)) - before.get(place, Decimal(0))
            for place in {**after, **before}
        }
    return {place: amount for place, amount in changes.items() if amount}


def _placed(position: Position, booked: Booked) -> AmountsByPlace:
    sums: dict[PostingPlace, Decimal] = {}
    wallet = Purpose.CLAIMED if booked.is_claim else Purpose.WALLET
    for amounts, source, target in _moves(position, booked):
        for spot, amount in amounts.items():
            for purpose, change in ((target, amount), (source, -amount)):
                place = _place(position, wallet if purpose is Purpose.WALLET else purpose, spot)
                known = sums.get(place)
                sums[place] = change if known is None else known + change
    return {place: amount for place, amount in sums.items() if amount}


def _place(position: Position, purpose: Purpose, spot: Spot) -> PostingPlace:
    account = ledger_account(position.account, position.provider, purpose, spot.network or None)
    return PostingPlace(account, spot.currency)


def _moves(position: Position, booked: Booked) -> Iterator[_Move]:
    if position.family == "payment":
        held = booked.net(Kind.MAIN)
        unassigned = _unassigned(position, held)
        yield _Move(minus(held, unassigned), Purpose.PAYMENTS, Purpose.WALLET)
        yield _Move(unassigned, Purpose.SUSPENSE, Purpose.WALLET)
    if position.family == "payout":
        yield _Move(booked.out[Kind.MAIN], Purpose.WALLET, Purpose.PAYOUTS)
    yield _Move(booked.fees, Purpose.WALLET, Purpose.FEES)
    yield _Move(booked.gas, Purpose.WALLET, Purpose.GAS)
    if Kind.REFUND in booked.out:
        yield _Move(booked.net(Kind.REFUND), Purpose.WALLET, Purpose.REFUNDS)
        yield _Move(booked.net(Kind.DISPUTE), Purpose.WALLET, Purpose.DISPUTES)
    if position.family == "payout":
        yield _Move(booked.back[Kind.MAIN], Purpose.RETURNS, Purpose.WALLET)


def _unassigned(position: Position, held: Spread) -> Spread:
    """Return the amounts that are not for the order: all of a partial payment, else the surplus."""
    if position.rank < Rank.PAID:
        return held
    surplus: Spread = {}
    for currency in currencies(held):
        if currency in position.expected:
            most = sum_of(held, currency) - position.expected[currency]
            surplus |= portion(held, currency, most)
    return surplus
