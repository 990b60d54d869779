"""What a position's facts book: amounts by kind, currency and network.

Per kind, side and currency the amount is the larger of the total and the sum over all transfers
with an id. A total that an operator stated counts instead of both. What is booked is out minus
back, never below zero.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from consumers.ledger.facts.fact import Kind, Side
from consumers.ledger.facts.fold import NO_FOLD, earliest
from consumers.ledger.facts.position import Position
from consumers.ledger.facts.stated import size
from consumers.ledger.facts.tally import Part, TallyKey

_ZERO = Decimal(0)


class Spot(NamedTuple):
    """Currency and network of an amount; no network is an empty text."""

    currency: str
    network: str


Spread = dict[Spot, Decimal]
"""Amounts by currency and network."""


class Excess(NamedTuple):
    """Two amounts in one currency; `more` should be at most `less`, and is not."""

    less: Decimal
    more: Decimal


@dataclass
class Booked:
    """What is booked of a position.

    `out` and `back` are the two directions of each kind, `back` at most `out`. `back_exceeds` has
    the reported amounts by name of kind and currency, `out_exceeds` and `claim_exceeds`
    those by currency.
    """

    out: dict[Kind, Spread] = field(default_factory=dict)
    back: dict[Kind, Spread] = field(default_factory=dict)
    fees: Spread = field(default_factory=dict)
    gas: Spread = field(default_factory=dict)
    is_claim: bool = False
    back_exceeds: dict[tuple[str, str], Excess] = field(default_factory=dict)
    out_exceeds: dict[str, Excess] = field(default_factory=dict)
    claim_exceeds: dict[str, Excess] = field(default_factory=dict)

    def net(self, kind: Kind) -> Spread:
        """Return out minus back, without zeros."""
        return minus(self.out.get(kind, {}), self.back.get(kind, {}))


def booked_of(position: Position) -> Booked:
    """Return what is booked of a position. Call it within `exact()`."""
    booked = Booked()
    reported = Reports(position)
    booked.is_claim = _set_main(booked, reported)
    if position.family == "payment" and reported.is_given_back():
        for kind in (Kind.REFUND, Kind.DISPUTE):
            _set_directions(booked, reported, kind, reported.spread(kind, Side.SEEN))
        _take_what_is_left(booked, reported)
        _compare_with_received(booked)
    _set_costs(booked, reported)
    return booked


class Reports:
    """Looks up the reported amounts of a position."""

    def __init__(self, position: Position) -> None:
        """Group totals and the sums of transfers by kind and side."""
        self.position = position
        self._default = earliest(position.networks) or ""
        self._totals: dict[tuple[Kind, Side], tuple[Spot, Decimal]] = {}
        self._sums: dict[tuple[Kind, Side], Spread] = {}
        for kind, fold in position.totals.items():
            network = self._network(kind)
            for side, currency, amount in fold.counted:
                self._totals[kind, side] = Spot(currency, network), amount
        for key, amount in position.tally.items():
            if key.part is Part.AMOUNT:
                spot = Spot(key.currency, key.network or self._default)
                sums = self._sums.setdefault((key.kind, key.side), {})
                sums[spot] = sums.get(spot, _ZERO) + amount
        self.kinds = {kind for kind, _ in (*self._totals, *self._sums)}

    def spread(self, kind: Kind, side: Side) -> Spread:
        """Return the larger of total and sum per currency; the total's surplus on its network.

        A total that an operator stated is returned instead, even if it is zero.
        """
        place = (kind, side)
        total, sums = self._totals.get(place), self._sums.get(place)
        if sums is not None and self.is_stated(kind, side):
            sums = None
        if total is None:
            return {} if sums is None else dict(sums)
        spot, amount = total
        if sums is None:
            return {spot: amount}
        summed = sum_of(sums, spot.currency)
        if size(amount) <= size(summed):
            return dict(sums)
        return {**sums, spot: sums.get(spot, _ZERO) + amount - summed}

    def is_stated(self, kind: Kind, side: Side) -> bool:
        """Whether an operator stated the total."""
        return self.position.totals.get(kind, NO_FOLD).slot(side).stated is not None

    def is_seen(self, kind: Kind) -> bool:
        """Whether an operator stated what was seen, so that no claim counts."""
        stated = TallyKey(Part.STATED, kind, Side.SEEN)
        return self.is_stated(kind, Side.SEEN) or stated in self.position.tally

    def is_given_back(self) -> bool:
        """Whether any refund or dispute was reported."""
        given = (Kind.REFUND, Kind.DISPUTE)
        return any(each in self.position.totals for each in given) or any(
            key.kind in given for key in self.position.tally
        )

    def takes_what_is_left(self, kind: Kind) -> bool:
        """Whether a transfer of a kind has no amount, and no operator stated the total."""
        if self.is_stated(kind, Side.SEEN):
            return False
        total = self.position.totals.get(kind, NO_FOLD).takes_what_is_left
        return total or any(
            key.part is Part.TAKING and key.kind is kind for key in self.position.tally
        )

    def returns_all(self, kind: Kind) -> bool:
        """Whether all of a kind came back: reported without an amount or the id of a transfer."""
        return self.position.totals.get(kind, NO_FOLD).slot(Side.BACK).is_open

    def _network(self, kind: Kind) -> str:
        own = self.position.totals.get(kind, NO_FOLD).network or ""
        return self._default or own if kind is Kind.MAIN else own or self._default


def _set_main(booked: Booked, reported: Reports) -> bool:
    """Set both directions of the payment or payout; return whether it is only claimed."""
    seen = reported.spread(Kind.MAIN, Side.SEEN)
    is_seen = bool(seen) or reported.is_seen(Kind.MAIN)
    claimed = reported.spread(Kind.MAIN, Side.CLAIMED)
    out = seen if is_seen else claimed
    _set_directions(booked, reported, Kind.MAIN, out)
    if seen and not reported.is_seen(Kind.MAIN):
        _compare_with_claimed(booked, seen, claimed)
    return bool(out) and not is_seen


def _compare_with_claimed(booked: Booked, seen: Spread, claimed: Spread) -> None:
    """Keep where the gateway claimed more than was seen, by currency."""
    for currency in currencies(claimed):
        less, more = sum_of(seen, currency), sum_of(claimed, currency)
        if more > less:
            booked.claim_exceeds[currency] = Excess(less, more)


def _set_directions(booked: Booked, reported: Reports, kind: Kind, out: Spread) -> None:
    back = reported.spread(kind, Side.BACK)
    if reported.returns_all(kind):
        back = _at_least(back, out)
    booked.out[kind] = out
    booked.back[kind] = _limited(booked, kind.value, back, out)


def _at_least(back: Spread, out: Spread) -> Spread:
    """Return all of `out`, but `back` in currencies in which more came back."""
    more = {each for each in currencies(back) if sum_of(back, each) > sum_of(out, each)}
    kept = {spot: amount for spot, amount in back.items() if spot.currency in more}
    return kept | {spot: amount for spot, amount in out.items() if spot.currency not in more}


def _limited(booked: Booked, name: str, back: Spread, out: Spread) -> Spread:
    """Return `back`, at most `out` in every currency; keep what exceeds it."""
    limited: Spread = {}
    for currency in currencies(back):
        most = max(sum_of(out, currency), _ZERO)
        reported = sum_of(back, currency)
        if reported > most:
            booked.back_exceeds[name, currency] = Excess(most, reported)
        limited |= portion(back, currency, most)
    return limited


def _take_what_is_left(booked: Booked, reported: Reports) -> None:
    """Give at most one refund or dispute without an amount what is left of the payment."""
    taking = [each for each in (Kind.REFUND, Kind.DISPUTE) if reported.takes_what_is_left(each)]
    if not taking:
        return
    kind = taking[0]
    left = booked.net(Kind.MAIN)
    for each in (Kind.REFUND, Kind.DISPUTE):
        left = minus(left, booked.net(each))
    for currency in currencies(left):
        for spot, amount in portion(left, currency, sum_of(left, currency)).items():
            booked.out[kind][spot] = booked.out[kind].get(spot, _ZERO) + amount


def _compare_with_received(booked: Booked) -> None:
    """Keep where more was given back than was received; a claim is not received."""
    received = {} if booked.is_claim else booked.net(Kind.MAIN)
    given: Spread = {}
    for kind in (Kind.REFUND, Kind.DISPUTE):
        given = plus(given, booked.net(kind))
    for currency in currencies(given):
        less, more = sum_of(received, currency), sum_of(given, currency)
        if more > less:
            booked.out_exceeds[currency] = Excess(less, more)


def _set_costs(booked: Booked, reported: Reports) -> None:
    for kind in Kind:
        if kind in reported.kinds:
            booked.fees = plus(booked.fees, reported.spread(kind, Side.FEE))
            booked.gas = plus(booked.gas, reported.spread(kind, Side.GAS))
    returned = reported.spread(Kind.MAIN, Side.FEE_BACK)
    if returned:
        booked.fees = minus(booked.fees, _limited(booked, "fee", returned, booked.fees))


def currencies(spread: Spread) -> list[str]:
    """Return the currencies, sorted."""
    return sorted({spot.currency for spot in spread})


def sum_of(spread: Mapping[Spot, Decimal], currency: str) -> Decimal:
    """Return the sum in one currency, over all networks."""
    return sum((each for spot, each in spread.items() if spot.currency == currency), _ZERO)


def portion(spread: Spread, currency: str, most: Decimal) -> Spread:
    """Return at most `most` of the positive amounts in a currency, network by network."""
    return dict(_portion(spread, currency, most))


def _portion(spread: Spread, currency: str, most: Decimal) -> Iterator[tuple[Spot, Decimal]]:
    for spot in sorted(spot for spot in spread if spot.currency == currency):
        taken = min(max(spread[spot], _ZERO), most)
        most -= taken
        if taken > 0:
            yield spot, taken


def plus(a: Spread, b: Spread) -> Spread:
    """Return the sums, without zeros."""
    if not b:
        return a
    sums = {spot: a.get(spot, _ZERO) + b.get(spot, _ZERO) for spot in {**a, **b}}
    return {spot: amount for spot, amount in sums.items() if amount}


def minus(a: Spread, b: Spread) -> Spread:
    """Return the differences, without zeros."""
    if not b:
        return a
    sums = {spot: a.get(spot, _ZERO) - b.get(spot, _ZERO) for spot in {**a, **b}}
    return {spot: amount for spot, amount in sums.items() if amount}
