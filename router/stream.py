"""`payrouter dev --rate`: a believable stream of deliveries to oneself.

Orders come one after another; most are pending, then confirmed; some are
delivered twice, some confirmed before their pending arrives, some expire, some
payouts go out in between.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router.delivery import Delivery
from router.intake import Endpoint
from router.providers import Provider, Varied
from router.send import Answered, Order, simulate

_CURRENCIES = ("USDT", "USDC")
_TWICE = 0.15
_LATE = 0.1
_EXPIRED = 0.1
_PAYOUT = 0.15


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
    amount = f"{chance.randrange(500, 50_000) / 100:.2f}"
    currency = chance.choice(_CURRENCIES)
    steps, name = [(0, "payout.confirmed")], f"PO-{reference}"
    if not _says(endpoint, "payout.confirmed") or chance.random() >= _PAYOUT:
        steps, name = _payment(endpoint, chance), f"ORD-{reference}"
    variant = _variant(endpoint.provider, [event_type for _, event_type in steps], chance)
    return _sent(
        [(delay, Order(kind, name, amount, currency, variant)) for delay, kind in steps], chance
    )


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


async def play(
    endpoints: Sequence[Endpoint],
    rate: float,
    send: Callable[[Delivery, str], Answered],
    failed: Callable[[str], None],
) -> None:
    """Send the stream, `rate` deliveries a second, until cancelled."""
    chance = random.Random()  # noqa: S311 - play, not cryptography
    for planned in planned_stream(endpoints, chance):
        delivery = simulate(planned.endpoint, planned.order)
        try:
            answered = await asyncio.to_thread(send, delivery, planned.endpoint.name)
            if not answered.kept:
                failed(f"the edge answered {answered.status}")
        except OSError as error:
            failed(str(error))
        await asyncio.sleep(1 / rate)
