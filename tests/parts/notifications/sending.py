"""Dispatchers as the tests run them: with limits of their own, on a real receiver."""

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.dispatcher import Dispatcher, Send
from consumers.notifications.leases import Leased
from consumers.notifications.options import ChannelOptions
from consumers.notifications.outside import Outside, Told
from consumers.notifications.rendering import Rendered, Texts, open_texts
from consumers.notifications.tables import SCHEMA
from tests.parts.notifications.desk import applied, limits, options, rule, run, told

TOPIC = "notifications.outcome"
HOOKED = options([rule(["payment.*", "payout.*"], "on-call", "hook")])


def by(url: str, allowed: ChannelOptions) -> Send:
    """Return what sends by an Apprise URL."""
    outside = Outside(url)

    def send(leased: Leased, rendered: Rendered, key: str) -> Told:
        return outside.send(rendered, key, leased.address, allowed.timeout_seconds)

    return send


def dispatcher(
    url: str, channel: str = "hook", texts: Texts | None = None, **changes: object
) -> Dispatcher:
    """Make the dispatcher of one process for one channel."""
    allowed = limits(**changes)
    return Dispatcher(channel, allowed, by(url, allowed), texts or open_texts(None), TOPIC)


async def written(desk: AsyncEngine, number: int) -> None:
    """Have so many messages written for the hook, each of a payment of its own."""
    events = [
        told("payment.confirmed", reference=f"A-{n}", provider_reference=f"P-{n}")
        for n in range(number)
    ]
    await applied(desk, HOOKED, *events)


async def drained(desk: AsyncEngine, *senders: Dispatcher) -> None:
    """Run dispatchers in turn until none of them finds anything."""
    while any([await each.run(desk) for each in senders]):
        pass


async def lease_over(desk: AsyncEngine) -> None:
    """Let the time of every lease run out."""
    await run(
        desk,
        f"UPDATE {SCHEMA}.message SET lease_until = now() - interval '1 s' WHERE state = 'leased'",
    )


async def due_now(desk: AsyncEngine) -> None:
    """Let the pauses before the next tries pass."""
    await run(desk, f"UPDATE {SCHEMA}.message SET due_at = now() WHERE state = 'pending'")
