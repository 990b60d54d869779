"""Simulates traffic for `payrouter dev --rate`: a realistic stream of deliveries.

Most payments are pending, then confirmed; some are delivered twice, some
arrive as confirmed before they arrive as pending, some expire, and some payouts
occur in between. The platform places each order, sometimes after its payment
has arrived.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.evaluation.ordering import NotPlaced
from router.evaluation.send import Answered, SimulatedOrder, simulate
from router.providers import Provider, Varied

_CURRENCIES = ("USDT", "USDC")
_TWICE = 0.15
_LATE = 0.1
_EXPIRED = 0.1
_PAYOUT = 0.15
_PLACED_LATE = 0.05
_PAID_OUT = "payout.confirmed"


@dataclass(order=True)
class PlannedDelivery:
    """A delivery, sorted by its position in the stream: `turn`, then `number`."""

    turn: int
    number: int
    endpoint: Endpoint = field(compare=False)
    order: SimulatedOrder = field(compare=False)


def planned_stream(
    endpoints: Sequence[Endpoint], chance: random.Random
) -> Iterator[PlannedDelivery]:
    """Yield an endless sequence of deliveries, in the order in which to send them."""
    endpoints = [one for one in endpoints if _can_send(one, "payment.confirmed")]
    if not endpoints:
        return
    payers = [one for one in endpoints if _sends_payouts(one)]
    waiting: list[PlannedDelivery] = []
    numbers = itertools.count()
    prefix = f"{datetime.now(UTC):%y%m%d%H%M%S}"
    for turn in itertools.count():
        while not waiting or waiting[0].turn > turn:
            number = next(numbers)
            endpoint = chance.choice(endpoints)
            for delay, order in _history(
                f"{prefix}-{number:04}", endpoint, chance, pays=endpoint in payers
            ):
                planned = PlannedDelivery(turn + delay, next(numbers), endpoint, order)
                heapq.heappush(waiting, planned)
        yield heapq.heappop(waiting)


def _history(
    reference: str, endpoint: Endpoint, chance: random.Random, *, pays: bool
) -> list[tuple[int, SimulatedOrder]]:
    """Make the deliveries of one order, or of a payout, each with its delay in turns."""
    if pays and chance.random() < _PAYOUT:
        steps = _orders(endpoint, f"PO-{reference}", [(0, _PAID_OUT)], chance)
        return _with_repeats(steps, chance)
    name = f"ORD-{reference}"
    steps = _orders(endpoint, name, _payment(endpoint, chance), chance)
    # The order costs the amount of its payment.
    placed = SimulatedOrder("order.placed", name, steps[0][1].amount, steps[0][1].currency)
    if chance.random() < _PLACED_LATE:
        return [*_with_repeats(steps, chance), (max(delay for delay, _ in steps) + 2, placed)]
    return [(0, placed), *((delay + 1, order) for delay, order in _with_repeats(steps, chance))]


def _orders(
    endpoint: Endpoint, name: str, steps: Sequence[tuple[int, str]], chance: random.Random
) -> list[tuple[int, SimulatedOrder]]:
    """Return the steps as simulated orders, all with the same form and amount."""
    amount = f"{chance.randrange(500, 50_000) / 100:.2f}"
    currency = chance.choice(_CURRENCIES)
    variant = _variant(endpoint.provider, [event_type for _, event_type in steps], chance)
    return [(delay, SimulatedOrder(kind, name, amount, currency, variant)) for delay, kind in steps]


def _payment(endpoint: Endpoint, chance: random.Random) -> list[tuple[int, str]]:
    """Return the event types of a payment that this gateway can send, each with its delay."""
    last = "payment.expired" if chance.random() < _EXPIRED else "payment.confirmed"
    if not _can_send(endpoint, last):
        last = "payment.confirmed"
    if not _can_send(endpoint, "payment.pending"):
        return [(0, last)]
    steps = [(0, "payment.pending"), (chance.randrange(2, 12), last)]
    if chance.random() < _LATE:
        # Simulates a network that reorders: the pending delivery comes last.
        steps[0] = (steps[1][0] + chance.randrange(1, 6), "payment.pending")
    return steps


def _variant(provider: Provider, event_types: Sequence[str], chance: random.Random) -> str | None:
    """Choose a form in which the gateway sends all of these types, None if it has only one."""
    if not isinstance(provider, Varied):
        return None
    first, *others = [provider.variants.get(event_type, ()) for event_type in event_types]
    return chance.choice([form for form in first if all(form in other for other in others)])


def _can_send(endpoint: Endpoint, kind: str) -> bool:
    """Return whether this gateway sends deliveries of this type."""
    family, _, status = kind.partition(".")
    return status in endpoint.provider.kinds.get(family, ())


def _sends_payouts(endpoint: Endpoint) -> bool:
    """Return whether this gateway sends payouts with their amount.

    A payout without one is a case for an operator, and not everyday traffic.
    """
    return _can_send(endpoint, _PAID_OUT) and _content(endpoint, "1.25") != _content(
        endpoint, "7.5"
    )


def _content(endpoint: Endpoint, amount: str) -> tuple[str, bytes]:
    order = SimulatedOrder(_PAID_OUT, "PO-1", amount, _CURRENCIES[0])
    made = simulate(endpoint, order, datetime.fromtimestamp(0, UTC))
    return made.target, made.body


def _with_repeats(
    steps: list[tuple[int, SimulatedOrder]], chance: random.Random
) -> list[tuple[int, SimulatedOrder]]:
    again = [(delay + chance.randrange(1, 8), o) for delay, o in steps if chance.random() < _TWICE]
    return [*steps, *again]


async def play(
    endpoints: Sequence[Endpoint],
    rate: float,
    send: Callable[[Delivery, str], Answered],
    place: Callable[[Endpoint, SimulatedOrder], Awaitable[None]],
    failed: Callable[[str], None],
) -> None:
    """Send the stream, `rate` messages a second, until cancelled.

    `send` posts a delivery to an endpoint; `place` places an order that is paid
    through one. Failures are passed to `failed` and not retried.
    """
    chance = random.Random()  # noqa: S311 - simulation, not cryptography
    for planned in planned_stream(endpoints, chance):
        try:
            if planned.order.kind == "order":
                await place(planned.endpoint, planned.order)
            else:
                await _deliver(planned, send, failed)
        except (NotPlaced, OSError) as error:
            failed(str(error))
        await asyncio.sleep(1 / rate)


async def _deliver(
    planned: PlannedDelivery,
    send: Callable[[Delivery, str], Answered],
    failed: Callable[[str], None],
) -> None:
    delivery = simulate(planned.endpoint, planned.order)
    answered = await asyncio.to_thread(send, delivery, planned.endpoint.name)
    if not answered.kept:
        failed(f"the edge answered {answered.status}")
