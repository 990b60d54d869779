"""Random histories of orders and their payments."""

from collections.abc import Sequence
from random import Random
from typing import Any

from router.contract.event import Event
from router.contract.order import Order
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import ordered, paid

Told = list[Event | Order]
SKUS = ("tea", "mug", "pot")
Life = Sequence[tuple[str, str]]
LASTING: Sequence[Life] = (
    (("pending", "0"), ("confirmed", "30")),
    (("pending", "0"), ("expired", "0"), ("confirmed", "30"), ("overpaid", "31")),
    (("underpaid", "10"), ("confirmed", "30")),
    (("pending", "0"), ("failed", "0")),
    (("underpaid", "15"), ("expired", "15")),
    (("cancelled", "0"), ("overpaid", "40")),
    (("confirmed", "15"),),
    (),
)
TAKEN_BACK: Sequence[Life] = (
    (("underpaid", "10"), ("confirmed", "30"), ("refunded", "30")),
    (("cancelled", "0"), ("overpaid", "40"), ("disputed", "40")),
)


def story(number: int, random: Random, lives: Sequence[Life]) -> Told:
    """Return the messages of one order: placed, one or two payments, perhaps cancelled."""
    lines = [
        {"sku": random.choice(SKUS), "quantity": random.randint(1, 3)}
        for _ in range(random.randint(0, 3))
    ]
    told: Told = [ordered(number, lines=lines)]
    for payment in range(random.randint(1, 2)):
        facts: dict[str, Any] = {"reference": f"A-{number}"}
        facts["provider_reference"] = f"{number}-{payment}"
        told += [paid(status, amount, **facts) for status, amount in random.choice(lives)]
    if random.random() < 0.2:
        told.append(order("order.cancelled", reference=f"A-{number}"))
    return told


def stories(random: Random, number: int, lives: Sequence[Life]) -> Told:
    """Interleave the messages of many orders, some repeated, each order mostly in sequence."""
    told_of = [story(n, random, lives) for n in range(number)]
    placed = [(at + random.random() * 6, m) for each in told_of for at, m in enumerate(each)]
    told = [message for _, message in sorted(placed, key=lambda pair: pair[0])]
    for message in random.choices(told, k=number):
        told.insert(random.randrange(len(told)), message)
    return told
