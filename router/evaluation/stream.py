"""`payrouter dev --rate`: a believable stream of deliveries to oneself.

Orders come one after another; most are pending, then confirmed; some are
delivered twice, some confirmed before their pending arrives, some expire, some
payouts go out in between. The platform places each order, now and then later
than its payment is heard of.
"""

import asyncio
import heapq
import itertools
import random
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.evaluation.ordering import NotPlaced
from router.evaluation.send import Answered, Order, simulate
from router.providers import Provider, Varied

_CURRENCIES = ("USDT", "USDC")
_TWICE = 0.15
_LATE = 0.1
_EXPIRED = 0.1
_PAYOUT = 0.15
_PLACED_LATE = 0.05

ARTICLES = ("coffee", "mug", "tea", "teapot")
"""What is bought in the play."""


@dataclass(order=True)
class Planned:
    """A delivery to be sent after so many others."""

    turn: int
    number: int
    endpoint: Endpoint = field(compare=False)
    order: Order = field(compare=False)


def planned_stream(endpoints: Sequence[Endpoint], chance: random.Random) -> Iterator[Planned]:
    """Yield deliveries without end, in the order in which they are to be sent."""
    endpoints = [one for one in endpoints if _says(one, "payment.confirmed")]
    if not endpoints:
        return
    waiting: list[Planned] = []
    numbers = itertools.count()
    prefix = f"{datetime.now(UTC):%y%m%d%H%M%S}"
    for turn in itertools.count():
        while not waiting or waiting[0].turn > turn:
            number = next(numbers)
            endpoint = chance.choice(endpoints)
            for delay, order in _history(f"{prefix}-{number:04}", endpoint, chance):
                heapq.heappush(waiting, Planned(turn + delay, next(numbers), endpoint, order))
        yield heapq.heappop(waiting)


def _history(reference: str, endpoint: Endpoint, chance: random.Random) -> list[tuple[int, Order]]:
    """Make the deliveries about one order, each with its delay in turns."""
    if _says(endpoint, "payout.confirmed") and chance.random() < _PAYOUT:
        return _sent(_told(endpoint, f"PO-{reference}", [(0, "payout.confirmed")], chance), chance)
    name = f"ORD-{reference}"
    told = _told(endpoint, name, _payment(endpoint, chance), chance)
    # What was bought costs what is paid.
    placed = Order("order.placed", name, told[0][1].amount, told[0][1].currency)
    if chance.random() < _PLACED_LATE:
        return [*_sent(told, chance), (max(delay for delay, _ in told) + 2, placed)]
    return [(0, placed), *((delay + 1, order) for delay, order in _sent(told, chance))]


def _told(
    endpoint: Endpoint, name: str, steps: Sequence[tuple[int, str]], chance: random.Random
) -> list[tuple[int, Order]]:
    """Have the gateway tell the steps, all in one form, of one amount."""
    amount = f"{chance.randrange(500, 50_000) / 100:.2f}"
    currency = chance.choice(_CURRENCIES)
    variant = _variant(endpoint.provider, [event_type for _, event_type in steps], chance)
    return [(delay, Order(kind, name, amount, currency, variant)) for delay, kind in steps]


def _payment(endpoint: Endpoint, chance: random.Random) -> list[tuple[int, str]]:
    """Say what happens to a payment and when, as far as this gateway has words for it."""
    last = "payment.expired" if chance.random() < _EXPIRED else "payment.confirmed"
    if not _says(endpoint, last):
        last = "payment.confirmed"
    if not _says(endpoint, "payment.pending"):
        return [(0, last)]
    steps = [(0, "payment.pending"), (chance.randrange(2, 12), last)]
    if chance.random() < _LATE:
        # The network had other plans: the first one comes last.
        steps[0] = (steps[1][0] + chance.randrange(1, 6), "payment.pending")
    return steps


def _variant(provider: Provider, event_types: Sequence[str], chance: random.Random) -> str | None:
    """Choose a form in which the gateway sends all of these, None where it has but one."""
    if not isinstance(provider, Varied):
        return None
    first, *others = [provider.variants.get(event_type, ()) for event_type in event_types]
    return chance.choice([form for form in first if all(form in other for other in others)])


def _says(endpoint: Endpoint, kind: str) -> bool:
    """Tell whether this gateway has words for it."""
    family, _, status = kind.partition(".")
    return status in endpoint.provider.kinds.get(family, ())


def _sent(steps: list[tuple[int, Order]], chance: random.Random) -> list[tuple[int, Order]]:
    again = [(delay + chance.randrange(1, 8), o) for delay, o in steps if chance.random() < _TWICE]
    return [*steps, *again]


def bought(order: Order) -> Sequence[tuple[str, int]]:
    """Return what an order of the play buys: articles and how many of each."""
    number = zlib.crc32(order.reference.encode())
    articles = {ARTICLES[number % 4], ARTICLES[number // 4 % 4]}
    return [(sku, 1 + number // 16 % 3) for sku in sorted(articles)]


async def play(
    endpoints: Sequence[Endpoint],
    rate: float,
    send: Callable[[Delivery, str], Answered],
    place: Callable[[str, Order], Awaitable[None]],
    failed: Callable[[str], None],
) -> None:
    """Send the stream, `rate` messages a second, until cancelled.

    `send` posts a delivery to an endpoint; `place` places an order of an
    account. What goes wrong is said and not tried again.
    """
    chance = random.Random()  # noqa: S311 - play, not cryptography
    for planned in planned_stream(endpoints, chance):
        try:
            if planned.order.kind == "order":
                await place(planned.endpoint.account, planned.order)
            else:
                await _deliver(planned, send, failed)
        except (NotPlaced, OSError) as error:
            failed(str(error))
        await asyncio.sleep(1 / rate)


async def _deliver(
    planned: Planned, send: Callable[[Delivery, str], Answered], failed: Callable[[str], None]
) -> None:
    delivery = simulate(planned.endpoint, planned.order)
    answered = await asyncio.to_thread(send, delivery, planned.endpoint.name)
    if not answered.kept:
        failed(f"the edge answered {answered.status}")
