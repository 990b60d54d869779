"""What is sold in a chaos run: orders, their deliveries in order of sending, and what must follow.

All of it is a function of the seed; it does not depend on any sink or process.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Final

from router.evaluation.placed import bought
from router.evaluation.send import SimulatedOrder

GATEWAYS: Final = ("blockatm", "pulse2pay")
_PAYOUTS: Final = ("blockatm",)
_PAYOUT_SHARE: Final = 0.15
_NEAR: Final = 12
"""By how many places a delivery may be earlier or later than in order."""

PENDING: Final = "payment.pending"
PAID: Final = "payment.confirmed"
PAID_OUT: Final = "payout.confirmed"

Effect = tuple[str, str]
"""Type and reference of an event."""


@dataclass(frozen=True)
class Sold:
    """One delivery; `place` is whether the shop places the order just before it."""

    number: int
    gateway: str
    order: SimulatedOrder
    place: bool = False

    @property
    def effect(self) -> Effect:
        """The event that it must be, once, however often it is delivered."""
        return self.order.type, self.order.reference


def sold(seed: int, deliveries: int) -> Sequence[Sold]:
    """Return so many deliveries in order of sending, or a few more: the last order is whole."""
    random = Random(seed)
    made: list[Sold] = []
    number = 0
    while len(made) < deliveries:
        made += _story(number, seed, random)
        number += 1
    keys = {id(each): at + random.uniform(0, _NEAR) for at, each in enumerate(made)}
    mixed = sorted(made, key=lambda each: keys[id(each)])
    return _placed([replace(each, number=at) for at, each in enumerate(mixed)])


def _story(number: int, seed: int, random: Random) -> Iterator[Sold]:
    gateway = random.choice(GATEWAYS)
    amount = f"{random.randrange(500, 50_000) / 100:.2f}"
    name = f"{gateway}-{seed}-{number}"
    if gateway in _PAYOUTS and random.random() < _PAYOUT_SHARE:
        kinds = [PAID_OUT]
        name = f"out-{name}"
    else:
        kinds = [PENDING, PAID]
    for kind in kinds:
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            yield Sold(0, gateway, SimulatedOrder(kind, name, amount, "USDT"))


def _placed(mixed: Sequence[Sold]) -> Sequence[Sold]:
    """Place each order just before its first delivery, and every eighth one before its last."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for each in mixed:
        if each.order.kind == "payment":
            first.setdefault(each.order.reference, each.number)
            last[each.order.reference] = each.number
    places = {last[name] if at % 8 == 0 else first[name] for at, name in enumerate(first)}
    return [replace(each, place=each.number in places) for each in mixed]


@dataclass(frozen=True)
class Due:
    """What the sinks must hold after these deliveries, exactly."""

    events: frozenset[Effect]
    paid: Mapping[str, Decimal]
    """The amount of each order that was paid, by reference."""
    paid_out: Mapping[str, Decimal]
    stock: Mapping[str, int]
    """Articles sold."""
    orders: frozenset[str]
    messages: frozenset[Effect]

    @property
    def applied(self) -> Mapping[str, int]:
        """How many records each consumer applies at most; all others are duplicates.

        The notifications read outcomes too, which they may get more than once.
        """
        payments = sum(kind != PAID_OUT for kind, _ in self.events)
        return {"ledger": len(self.events), "inventory": payments + len(self.orders)}

    @classmethod
    def of(cls, accepted: Sequence[Sold]) -> "Due":
        """Return what must follow from deliveries that were answered with success."""
        events = frozenset(each.effect for each in accepted)
        amounts = {each.effect: Decimal(each.order.amount) for each in accepted}
        paid = {each.order.reference: each.order for each in accepted if each.order.type == PAID}
        stock: Counter[str] = Counter()
        for order in paid.values():
            stock.update(dict(bought(order)))
        return cls(
            events,
            {name: amounts[PAID, name] for name in paid},
            {name: amount for (kind, name), amount in amounts.items() if kind == PAID_OUT},
            dict(stock),
            frozenset(paid),
            frozenset(each for each in events if each[0] in {PAID, PAID_OUT}),
        )
