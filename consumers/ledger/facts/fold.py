"""Folding of facts: a join that is commutative, associative and idempotent.

So the result depends neither on the order of the events nor on how often one is repeated. Amounts
are compared by their distance from zero: a rebate (a fee below zero) outweighs a fee of zero.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.fact import MoneyFact, Side
from consumers.ledger.facts.stated import Stated, latest_stated, size, stated_of
from router.contract.event import Event


class Lower(NamedTuple):
    """The last report of less than the highest amount."""

    at: datetime
    amount: Decimal


class Amounts(NamedTuple):
    """All amounts reported in one currency: the highest, and the last that is lower.

    `first` is the moment of the first report above zero, `last` that of the last report of the
    highest.
    """

    highest: Decimal
    first: datetime
    last: datetime
    lower: Lower | None = None

    @property
    def lowered_by(self) -> Decimal:
        """How much the gateway's last report is below the highest; 0 if it is the highest."""
        if self.lower is None or self.lower.at <= self.last:
            return Decimal(0)
        with exact():
            return abs(self.highest - self.lower.amount)


class Slot(NamedTuple):
    """One side of a transfer: the gateway's amounts by currency, and the one an operator stated.

    `known` and `unknown` are the highest ranks with and without an amount.
    """

    amounts: Mapping[str, Amounts]
    known: int = 0
    unknown: int = 0
    stated: Stated | None = None

    @property
    def is_open(self) -> bool:
        """Whether the amount is unknown: reported without one, and not with one since."""
        return self.unknown > self.known

    @property
    def is_undisputed(self) -> bool:
        """Whether there is one amount, reported by the gateway, and nothing differs from it."""
        if self.is_open or self.stated is not None or len(self.amounts) != 1:
            return False
        (amounts,) = self.amounts.values()
        return amounts.lower is None

    @property
    def counted(self) -> tuple[str, Decimal] | None:
        """The currency and amount that count: the operator's, else the gateway's highest.

        A transfer has one currency: the gateway's is the one reported first, ties by code. One with
        an amount of zero does not count, unless the operator stated it.
        """
        if self.stated is not None:
            return self.stated.currency, self.stated.amount
        if len(self.amounts) == 1:
            ((currency, amounts),) = self.amounts.items()
            return (currency, amounts.highest) if amounts.highest else None
        counting = [each for each in self.amounts.items() if each[1].highest]
        first = min(counting, key=lambda each: (each[1].first, each[0]), default=None)
        return first and (first[0], first[1].highest)

    @property
    def others(self) -> Iterator[tuple[str, Decimal]]:
        """The amounts in other currencies than the one that counts; none if an operator did."""
        counted = None if self.stated is not None else self.counted
        for currency, amounts in self.amounts.items():
            if amounts.highest and counted is not None and currency != counted[0]:
                yield currency, amounts.highest

    @property
    def lowered(self) -> Iterator[tuple[str, Amounts]]:
        """The amounts whose last report is lower; none if the operator stated the amount."""
        if self.stated is None:
            for currency, amounts in self.amounts.items():
                if amounts.lowered_by:
                    yield currency, amounts


class Fold(NamedTuple):
    """All facts of one transfer, or of all transfers of a kind that are reported as a total.

    `networks` has the moment when each was named first.
    """

    networks: Mapping[str, datetime]
    slots: Mapping[Side, Slot]

    @property
    def network(self) -> str | None:
        """The network that was named first, ties by name."""
        return earliest(self.networks)

    def slot(self, side: Side) -> Slot:
        """Return one side, an empty one if nothing was reported."""
        return self.slots.get(side, NO_SLOT)

    @property
    def counted(self) -> Iterator[tuple[Side, str, Decimal]]:
        """The amounts that count; a way there or back without one has that of the other way."""
        for side, slot in self.slots.items():
            counted = slot.counted
            if counted is not None:
                yield side, *counted
            elif slot.is_open and side in _OPPOSITE:
                other = self.slot(_OPPOSITE[side]).counted
                if other is not None:
                    yield side, *other

    @property
    def takes_what_is_left(self) -> bool:
        """Whether the transfer has no amount, and nothing came back of it."""
        return Side.BACK not in self.slots and self.slot(Side.SEEN).is_open


_OPPOSITE = {Side.SEEN: Side.BACK, Side.BACK: Side.SEEN}

NO_SLOT = Slot({})

NO_FOLD = Fold({}, {})


def earliest(networks: Mapping[str, datetime]) -> str | None:
    """Return the network that was named first, ties by name."""
    return min(networks, key=lambda name: (networks[name], name), default=None)


def fold_of(fact: MoneyFact, event: Event) -> Fold:
    """Return the fold of one fact of an event."""
    moment = event.moment
    networks = {} if event.network is None else {event.network: moment}
    if fact.amount is None or fact.currency is None:
        return Fold(networks, {fact.side: Slot({}, unknown=fact.rank)})
    stated = stated_of(fact.side, fact.amount, fact.currency, event)
    if stated is not None:
        return Fold(networks, {fact.side: Slot({}, known=fact.rank, stated=stated)})
    amounts = {fact.currency: Amounts(fact.amount, moment, moment)}
    return Fold(networks, {fact.side: Slot(amounts, known=fact.rank)})


def join(a: Fold, b: Fold) -> Fold:
    """Return the fold of both folds' facts."""
    slots = {**a.slots, **b.slots}
    for side in a.slots.keys() & b.slots.keys():
        slots[side] = _join_slots(a.slots[side], b.slots[side])
    return Fold(join_networks(a.networks, b.networks), slots)


def join_networks(a: Mapping[str, datetime], b: Mapping[str, datetime]) -> Mapping[str, datetime]:
    """Return the first moment of every network."""
    if not a or not b:
        return a or b
    return {name: min(each[name] for each in (a, b) if name in each) for name in {**a, **b}}


def _join_slots(a: Slot, b: Slot) -> Slot:
    amounts = {**a.amounts, **b.amounts}
    for currency in a.amounts.keys() & b.amounts.keys():
        amounts[currency] = _join_amounts(a.amounts[currency], b.amounts[currency])
    stated = latest_stated(a.stated, b.stated)
    return Slot(amounts, max(a.known, b.known), max(a.unknown, b.unknown), stated)


def _join_amounts(a: Amounts, b: Amounts) -> Amounts:
    more, less = (a, b) if size(a.highest) >= size(b.highest) else (b, a)
    # A report of zero does not count.
    first = min(each.first for each in (a, b) if each.highest or not more.highest)
    lower = [each.lower for each in (a, b) if each.lower is not None]
    if more.highest == less.highest:
        last = max(a.last, b.last)
    else:
        last = more.last
        lower.append(Lower(less.last, less.highest))
    latest = max(lower, key=lambda each: (each.at, size(each.amount)), default=None)
    return Amounts(more.highest, first, last, latest)
