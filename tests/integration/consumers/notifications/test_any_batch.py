"""Random histories on a real database: batches of any size, repeated and replayed events."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.contract.event import Event, EventType
from tests.parts.notifications.desk import applied, messages, options, rule, told
from tests.parts.notifications.oracle import news_of

PAYMENTS = 6
RULES = options([rule(["payment.*", "alert.*"], "on-call", "hook", "mail")])
TYPES = [each.value for each in EventType if each.family == "payment"]
MONEY = ["payment.confirmed", "payment.refunded", "payment.refund_failed", "payment.disputed"]
AMOUNTS = (None, "10", "20", "30.00")


def history(random: Random) -> list[Event]:
    """Make the events of some payments, in an order of arrival."""
    return [_event(random, f"P-{random.randrange(PAYMENTS)}") for _ in range(80)]


def _event(random: Random, payment: str) -> Event:
    movement = random.choice([None, "re_1", "re_2"])
    facts: dict[str, Any] = {
        "provider_reference": payment,
        "amount": random.choice(AMOUNTS),
        "movement": movement,
        "movement_amount": random.choice(AMOUNTS) if movement else None,
    }
    return told(random.choice([*TYPES, *MONEY]), **facts)


def expected(story: Sequence[Event]) -> Counter[tuple[object, ...]]:
    """Return the messages of a history: event, kind and channel."""
    found: Counter[tuple[object, ...]] = Counter()
    for number, event in enumerate(story):
        earlier = [e for e in story[:number] if e.provider_reference == event.provider_reference]
        for kind in news_of(earlier, event)[:1]:
            found.update((event.id, kind, channel) for channel in ("hook", "mail"))
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_every_change_is_one_message_per_channel(desk: AsyncEngine, seed: int) -> None:
    random = Random(seed)
    story = history(random)
    rest = [*story]
    while rest:
        size = random.randint(1, 15)
        batch, rest = rest[:size], rest[size:]
        applied_before = story[: len(story) - len(rest)]
        again = random.sample(applied_before, min(5, len(applied_before)))
        await applied(desk, RULES, *batch, *again)
    await applied(desk, RULES, *story)
    found = Counter((row.event_id, row.kind, row.channel) for row in await messages(desk))
    assert found == expected(story)
