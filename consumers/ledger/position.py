"""What the events so far say about one payment or payout, whatever their order.

A position keeps facts that only ever grow: the best rank seen, the highest
totals, the first currency. Therefore events may come late, twice and in any
order, and the position, and with it the books, end the same. Only `status`
follows the order of arrival; it is for people, nothing is booked by it.

One point is not free of order: a second currency for the same money. Booking
both would count the money twice, so the currency that first came with money
stands, and of an event in another the status counts but none of its amounts.
Nor does what was taken back in another currency.
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
"""Namespace of the ids of positions. Never change it: every stored position has one."""


class Rank(IntEnum):
    """How far the money of a payment has come, at best."""

    NOTHING = 0
    PARTIAL = 1
    PAID = 2


@dataclass(frozen=True)
class Position:
    """The facts about one payment or payout; the fields are the columns of its row.

    `partial` is the highest total of an underpaid event, `total` that of a
    paid one; expected, fee and gas count from paid events only, so that a
    late underpaid or pending one moves nothing. Of two fees the one farther
    from zero counts: a rebate (a fee below zero) takes the place of a fee of
    zero. `claimed` is the highest total that a gateway said without having seen
    it on chain; what was seen takes its place. `refunded_amount` and its like
    are None where all of it was taken back.
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
    def held(self) -> "Claim":
        """The amount to book: of the paid events where they say it, else of the partial ones.

        What is only claimed comes last.
        """
        if self.rank == Rank.PAID and self.total is not None:
            return self.total, self.currency
        if self.partial is not None:
            return self.partial, self.currency
        return self.claimed, self.claimed_currency

    @property
    def is_claim(self) -> bool:
        """Whether what is to be booked was said, and not seen on chain."""
        return self.total is None and self.partial is None and self.claimed is not None


def opened(event: Event) -> Position:
    """Return the position an event belongs to, as it is before any event."""
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
    """Return what is known after `event`; the same as before if it says nothing new."""
    status = event.type.status
    told = _TELLS.get(status)
    learned: Learned = {
        "status": advance(position.status, status) or position.status,
        "reference": position.reference or event.reference,
        "rank": max(position.rank, _RANKS.get(status, Rank.NOTHING)),
    }
    # Replaced once, not fact by fact: this is done for every event.
    return replace(position, **learned, **(told(position, event) if told else {}))


def speaks_other_currency(position: Position, event: Event) -> bool:
    """Tell whether an event claims the position's money in another currency than before."""
    if event.amount is None or event.type.status not in _TELLS:
        return False
    known = position.claimed_currency if event.amount_claimed else position.currency
    return known not in {None, event.currency}


_RANKS = {"underpaid": Rank.PARTIAL, "confirmed": Rank.PAID, "overpaid": Rank.PAID}


Learned = dict[str, Any]
"""What an event adds to a position, by field."""


def _partial(position: Position, event: Event) -> Learned:
    if speaks_other_currency(position, event):
        return {}
    if event.amount_claimed:
        return _claimed(position, event)
    return _placed(position, event) | {"partial": _highest(position.partial, event.amount)}


def _paid(position: Position, event: Event) -> Learned:
    if speaks_other_currency(position, event):
        return {}
    expected = _claim(
        (position.expected, position.expected_currency),
        (event.expected_amount, event.expected_currency),
    )
    fee = _claim((position.fee, position.fee_currency), (event.fee, event.fee_currency))
    gas = _claim((position.gas, position.gas_currency), (event.gas, event.gas_currency))
    told = _claimed if event.amount_claimed else _total
    return told(position, event) | {
        "expected": expected[0],
        "expected_currency": expected[1],
        "fee": fee[0],
        "fee_currency": fee[1],
        "gas": gas[0],
        "gas_currency": gas[1],
    }


def _total(position: Position, event: Event) -> Learned:
    return _placed(position, event) | {"total": _highest(position.total, event.amount)}


def _claimed(position: Position, event: Event) -> Learned:
    known = (position.claimed, position.claimed_currency)
    amount, currency = _claim(known, (event.amount, event.currency))
    network = position.network or event.network
    return {"claimed": amount, "claimed_currency": currency, "network": network}


def _refunded(position: Position, event: Event) -> Learned:
    known = (position.refunded_amount, position.refunded_currency)
    amount, currency = _claim(known, (event.amount, event.currency))
    return {"refunded": True, "refunded_amount": amount, "refunded_currency": currency}


def _disputed(position: Position, event: Event) -> Learned:
    known = (position.disputed_amount, position.disputed_currency)
    amount, currency = _claim(known, (event.amount, event.currency))
    return {"disputed": True, "disputed_amount": amount, "disputed_currency": currency}


def _returned(position: Position, event: Event) -> Learned:
    known = (position.returned_amount, position.returned_currency)
    amount, currency = _claim(known, (event.amount, event.currency))
    return {"returned": True, "returned_amount": amount, "returned_currency": currency}


_TELLS: Mapping[str, Callable[[Position, Event], Learned]] = {
    "underpaid": _partial,
    "confirmed": _paid,
    "overpaid": _paid,
    "refunded": _refunded,
    "disputed": _disputed,
    "returned": _returned,
}
"""Which statuses tell of money; of every other only the status itself is kept."""


def _placed(position: Position, event: Event) -> Learned:
    """Learn network and currency from the first event that names them with money."""
    currency = None if event.amount is None else event.currency
    return {
        "network": position.network or event.network,
        "currency": position.currency or currency,
    }


Claim = tuple[Decimal | None, str | None]
"""An amount and its currency, both or neither."""


def _claim(known: Claim, told: Claim) -> Claim:
    """Keep the higher of two amounts of one currency, and the known one of two currencies."""
    if told[0] is None:
        return known
    if known[0] is None:
        return told
    return (_highest(known[0], told[0]), known[1]) if known[1] == told[1] else known


def _highest(known: Decimal | None, told: Decimal | None) -> Decimal | None:
    return max((amount for amount in (known, told) if amount is not None), default=None, key=_size)


def _size(amount: Decimal) -> tuple[Decimal, Decimal]:
    """Order by the distance from zero: a rebate outweighs a fee of zero, whichever comes first."""
    return amount.copy_abs(), amount
