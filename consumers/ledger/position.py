"""The accumulated facts of one payment or payout, independent of the order of its events.

A position holds facts that only grow: the best rank seen, the highest totals,
the first currency. So events may arrive late, twice and in any order, and the
position and the books end the same. Only `status` depends on the order of
arrival; it is for display, and nothing is booked by it.

One case does depend on the order: a second currency for the same money. Booking
both would count the money twice, so the first currency that comes with money
wins. An event in another currency updates the status, but none of its amounts
count, nor does an amount taken back in another currency.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid5

from router.contract.event import Event
from router.contract.lifecycle import advance

POSITION_NAMESPACE = UUID("0d5d4f8e-3f5a-5e0b-9c55-5f1f5a1f7d42")
"""Namespace of position ids. Never change it: stored positions have ids derived from it."""


class Rank(IntEnum):
    """The furthest state the money of a payment has reached."""

    NOTHING = 0
    PARTIAL = 1
    PAID = 2


@dataclass(frozen=True)
class Position:
    """The facts about one payment or payout; the fields are the columns of its row.

    `partial` is the highest total of an underpaid event, `total` that of a
    paid one. Expected amount, fee and gas count from paid events only, so a
    late underpaid or pending event changes nothing. Of two fees the one farther
    from zero counts: a rebate (a fee below zero) replaces a fee of zero.
    `claimed` is the highest total that a gateway reported without having seen
    it on chain; an amount seen on chain replaces it. `refunded_amount`,
    `disputed_amount` and `returned_amount` are None for the full amount.
    """

    id: UUID
    account: str
    provider: str
    family: str
    provider_reference: str | None = None
    reference: str | None = None
    status: str | None = None
    rank: int = Rank.NOTHING
    network: str | None = None
    currency: str | None = None
    partial: Decimal | None = None
    total: Decimal | None = None
    claimed: Decimal | None = None
    claimed_currency: str | None = None
    expected: Decimal | None = None
    expected_currency: str | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    gas: Decimal | None = None
    gas_currency: str | None = None
    refunded: bool = False
    refunded_amount: Decimal | None = None
    refunded_currency: str | None = None
    disputed: bool = False
    disputed_amount: Decimal | None = None
    disputed_currency: str | None = None
    returned: bool = False
    returned_amount: Decimal | None = None
    returned_currency: str | None = None

    @property
    def amount_to_book(self) -> "Money":
        """The amount and currency to book: from paid events, else partial ones, else claims."""
        if self.rank == Rank.PAID and self.total is not None:
            return self.total, self.currency
        if self.partial is not None:
            return self.partial, self.currency
        return self.claimed, self.claimed_currency

    @property
    def is_claim(self) -> bool:
        """Whether the amount to book was only claimed, not seen on chain."""
        return self.total is None and self.partial is None and self.claimed is not None


def new_position(event: Event) -> Position:
    """Return the position an event belongs to, before any event is applied."""
    named = event.provider_reference or event.reference
    kind = "reference" if event.provider_reference is None else "provider_reference"
    identity = [event.account, event.provider, event.type.family, kind, named]
    return Position(
        id=uuid5(POSITION_NAMESPACE, json.dumps(identity)),
        account=event.account,
        provider=event.provider,
        family=event.type.family,
        provider_reference=event.provider_reference,
        reference=event.reference,
    )


def absorb(position: Position, event: Event) -> Position:
    """Return the position after `event`; equal to `position` if the event adds nothing."""
    status = event.type.status
    updates_of = _UPDATES.get(status)
    updates: FieldUpdates = {
        "status": advance(position.status, status) or position.status,
        "reference": position.reference or event.reference,
        "rank": max(position.rank, _RANKS.get(status, Rank.NOTHING)),
    }
    # One replace() for all fields: this runs for every event.
    return replace(position, **updates, **(updates_of(position, event) if updates_of else {}))


def has_other_currency(position: Position, event: Event) -> bool:
    """Return whether an event reports the position's money in another currency than before."""
    if event.amount is None or event.type.status not in _UPDATES:
        return False
    known = position.claimed_currency if event.amount_claimed else position.currency
    return known not in {None, event.currency}


_RANKS = {"underpaid": Rank.PARTIAL, "confirmed": Rank.PAID, "overpaid": Rank.PAID}


FieldUpdates = dict[str, Any]
"""New values of a position's fields, by field name."""


def _partial(position: Position, event: Event) -> FieldUpdates:
    if has_other_currency(position, event):
        return {}
    if event.amount_claimed:
        return _claimed(position, event)
    return _located(position, event) | {"partial": _highest(position.partial, event.amount)}


def _paid(position: Position, event: Event) -> FieldUpdates:
    if has_other_currency(position, event):
        return {}
    expected = _higher(
        (position.expected, position.expected_currency),
        (event.expected_amount, event.expected_currency),
    )
    fee = _higher((position.fee, position.fee_currency), (event.fee, event.fee_currency))
    gas = _higher((position.gas, position.gas_currency), (event.gas, event.gas_currency))
    amount_of = _claimed if event.amount_claimed else _total
    return amount_of(position, event) | {
        "expected": expected[0],
        "expected_currency": expected[1],
        "fee": fee[0],
        "fee_currency": fee[1],
        "gas": gas[0],
        "gas_currency": gas[1],
    }


def _total(position: Position, event: Event) -> FieldUpdates:
    return _located(position, event) | {"total": _highest(position.total, event.amount)}


def _claimed(position: Position, event: Event) -> FieldUpdates:
    known = (position.claimed, position.claimed_currency)
    amount, currency = _higher(known, (event.amount, event.currency))
    network = position.network or event.network
    return {"claimed": amount, "claimed_currency": currency, "network": network}


def _refunded(position: Position, event: Event) -> FieldUpdates:
    known = (position.refunded_amount, position.refunded_currency)
    amount, currency = _higher(known, (event.amount, event.currency))
    return {"refunded": True, "refunded_amount": amount, "refunded_currency": currency}


def _disputed(position: Position, event: Event) -> FieldUpdates:
    known = (position.disputed_amount, position.disputed_currency)
    amount, currency = _higher(known, (event.amount, event.currency))
    return {"disputed": True, "disputed_amount": amount, "disputed_currency": currency}


def _returned(position: Position, event: Event) -> FieldUpdates:
    known = (position.returned_amount, position.returned_currency)
    amount, currency = _higher(known, (event.amount, event.currency))
    return {"returned": True, "returned_amount": amount, "returned_currency": currency}


_UPDATES: Mapping[str, Callable[[Position, Event], FieldUpdates]] = {
    "underpaid": _partial,
    "confirmed": _paid,
    "overpaid": _paid,
    "refunded": _refunded,
    "disputed": _disputed,
    "returned": _returned,
}
"""The updates of each status that reports money; other events update only the status."""


def _located(position: Position, event: Event) -> FieldUpdates:
    """Take network and currency from the first event with money that names them."""
    currency = None if event.amount is None else event.currency
    return {
        "network": position.network or event.network,
        "currency": position.currency or currency,
    }


Money = tuple[Decimal | None, str | None]
"""An amount and its currency; both are None if unknown."""


def _higher(known: Money, new: Money) -> Money:
    """Return the higher of two amounts in one currency, or the known one if currencies differ."""
    if new[0] is None:
        return known
    if known[0] is None:
        return new
    return (_highest(known[0], new[0]), known[1]) if known[1] == new[1] else known


def _highest(known: Decimal | None, new: Decimal | None) -> Decimal | None:
    return max((amount for amount in (known, new) if amount is not None), default=None, key=_size)


def _size(amount: Decimal) -> tuple[Decimal, Decimal]:
    """Return a sort key by distance from zero: a rebate outweighs a fee of zero."""
    return amount.copy_abs(), amount
