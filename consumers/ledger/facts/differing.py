"""Where a gateway's amounts differ from the amount that an operator stated.

A gateway's amount agrees with the operator's if it is the same, or the one that the operator was
shown and replaced. So the result is a function of the facts and does not depend on their order
of arrival.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from consumers.ledger.facts.fact import Kind, Side
from consumers.ledger.facts.fold import Amounts, Fold
from consumers.ledger.facts.stated import Stated, size

_ZERO = Decimal(0)

SumsBySide = Mapping[Side, Mapping[str, Decimal]]
"""Sums over transfers with an id, by currency."""

_NO_SUMS: SumsBySide = {}


class AmountDifference(NamedTuple):
    """An amount of the gateway, and the one in that currency that the operator accepts, or 0."""

    currency: str
    amount: Decimal
    accepted: Decimal


class GatewayAmounts(NamedTuple):
    """What a gateway reported about one side, by currency.

    `sums` are those of the transfers with an id, if it is a total. `claims` are amounts that the
    gateway claimed, if it also reported some as seen.
    """

    amounts: Mapping[str, Amounts]
    sums: Mapping[str, Decimal]
    claims: Mapping[str, Decimal]

    def highest(self, currency: str) -> Decimal:
        """Return the larger of total and sum."""
        amounts = self.amounts.get(currency)
        total = _ZERO if amounts is None else amounts.highest
        return max(total, self.sums.get(currency, _ZERO), key=size)

    @property
    def by_currency(self) -> Mapping[str, Decimal]:
        """The larger of total and sum of every currency, in the order of their codes."""
        return {each: self.highest(each) for each in sorted({*self.amounts, *self.sums})}


def of_transfer(kind: Kind, fold: Fold, side: Side, sums: SumsBySide = _NO_SUMS) -> GatewayAmounts:
    """Return a gateway's amounts of one side: of a payment what was seen, else what was claimed.

    `sums` are those of the transfers with an id, if the fold is that of a total.
    """
    seen = _of_side(fold, side, sums)
    if kind is not Kind.MAIN or side is not Side.SEEN:
        return seen
    claimed = _of_side(fold, Side.CLAIMED, sums)
    if any(claimed.by_currency.values()) and not any(seen.by_currency.values()):
        return claimed
    return seen._replace(claims=claimed.by_currency)


def _of_side(fold: Fold, side: Side, sums: SumsBySide) -> GatewayAmounts:
    return GatewayAmounts(fold.slot(side).amounts, sums.get(side, {}), {})


def differences(stated: Stated, gateway: GatewayAmounts) -> Iterator[AmountDifference]:
    """Yield the gateway's amounts that the operator neither stated nor was shown."""
    for currency in gateway.by_currency:
        amount = _difference(stated, gateway, currency)
        if amount is not None:
            yield AmountDifference(currency, amount, stated.accepted(currency) or _ZERO)


def _difference(stated: Stated, gateway: GatewayAmounts, currency: str) -> Decimal | None:
    amounts, highest = gateway.amounts.get(currency), gateway.highest(currency)
    if not _agrees(stated, gateway, currency):
        return highest
    # A later report below the highest is news, unless it is what the operator stated.
    lower = amounts.lower if amounts is not None and amounts.lowered_by else None
    if lower is None or lower.at <= stated.at or lower.amount == stated.accepted(currency):
        return None
    return lower.amount


def _agrees(stated: Stated, gateway: GatewayAmounts, currency: str) -> bool:
    highest, amounts = gateway.highest(currency), gateway.amounts.get(currency)
    if highest == stated.accepted(currency):
        return True
    if not highest:
        # Zero counts as no report, unless it denies the operator's amount afterwards.
        return currency != stated.currency or amounts is None or amounts.last <= stated.at
    if highest != stated.replaced(currency):
        return False
    # It replaced a claim. That the gateway saw the same amount since is news.
    is_claim = gateway.claims.get(currency) == highest
    return not (is_claim and amounts is not None and amounts.first > stated.at)
