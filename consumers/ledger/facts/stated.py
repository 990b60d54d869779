"""What an operator states about a transfer: an amount that counts instead of the gateway's."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from consumers.ledger.facts.fact import Side
from router.contract.event import Event

_COSTS = frozenset({Side.FEE, Side.FEE_BACK, Side.GAS})


class Stated(NamedTuple):
    """An operator's amount, and the gateway's amounts that it replaces.

    `at` is the moment when it was recorded, not when the money moved: a later statement corrects an
    earlier one. `replaces` is the gateway's amount in `currency`, `others` those in other
    currencies, sorted, as the operator was shown them.
    """

    at: datetime
    currency: str
    amount: Decimal
    replaces: Decimal | None = None
    others: tuple[tuple[str, Decimal], ...] = ()

    def accepted(self, currency: str) -> Decimal | None:
        """Return the amount of a currency that agrees with the statement, None if none does."""
        return self.amount if currency == self.currency else self.replaced(currency)

    def replaced(self, currency: str) -> Decimal | None:
        """Return the gateway's amount of a currency that the operator was shown."""
        return self.replaces if currency == self.currency else dict(self.others).get(currency)


def stated_of(side: Side, amount: Decimal, currency: str, event: Event) -> Stated | None:
    """Return what an event states about one side of a transfer; None if a gateway reports it."""
    recorded = event.recorded
    if recorded is None:
        return None
    if is_cost(side):
        # What it replaces is about `amount` or `movement_amount` alone.
        return Stated(event.received_at, currency, amount)
    others = tuple(sorted(recorded.other_currencies.items()))
    return Stated(event.received_at, currency, amount, recorded.replaces, others)


def is_cost(side: Side) -> bool:
    """Whether a side is what a transfer cost, not the transfer."""
    return side in _COSTS


def latest_stated(a: Stated | None, b: Stated | None) -> Stated | None:
    """Return the later statement; ties are decided by the amount, in any order of arrival."""
    if a is None or b is None:
        return a or b
    return max(a, b, key=_order)


def size(amount: Decimal) -> tuple[Decimal, Decimal]:
    """Return a sort key by distance from zero."""
    return amount.copy_abs(), amount


def _order(stated: Stated) -> tuple[object, ...]:
    replaces = stated.replaces
    known = (replaces is not None, replaces or Decimal(0))
    return (stated.at, size(stated.amount), stated.currency, known, stated.others)
