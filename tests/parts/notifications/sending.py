"""Dispatchers for the tests, with chosen limits and a real receiver."""

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.options import ChannelOptions
from consumers.notifications.sending.apprise_channel import AppriseChannel, SendResult
from consumers.notifications.sending.dispatcher import Dispatcher, MessageSender
from consumers.notifications.sending.leases import Leased
from consumers.notifications.sending.rendering import Rendered, Texts, open_texts
from consumers.notifications.tables import SCHEMA
from tests.parts.notifications.desk import applied, limits, options, rule, run, told

TOPIC = "notifications.outcome"
HOOKED = options([rule(["payment.*", "payout.*"], "on-call", "hook")])


def by(url: str, allowed: ChannelOptions) -> MessageSender:
    """Return a sender for an Apprise URL."""
    outside = AppriseChannel(url)

    def send(leased: Leased, rendered: Rendered, key: str) -> SendResult:
        return outside.send(rendered, key, leased.address, allowed.timeout_seconds)

    return send


def dispatcher(
    url: str, channel: str = "hook", texts: Texts | None = None, **changes: object
) -> Dispatcher:
    """Make the dispatcher of one process for one channel."""
    allowed = limits(**changes)
    return Dispatcher(channel, allowed, by(url, allowed), texts or open_texts(None), TOPIC)


async def written(desk: AsyncEngine, number: int) -> None:
    """Create this many messages for the webhook, each about another payment."""
    events = [
        told("payment.confirmed", reference=f"A-{n}", provider_reference=f"P-{n}")
        for n in range(number)
    ]
    await applied(desk, HOOKED, *events)


async def drained(desk: AsyncEngine, *senders: Dispatcher) -> None:
    """Run dispatchers in turn until no messages are due."""
    while any([await each.run(desk) for each in senders]):
        pass


async def lease_over(desk: AsyncEngine) -> None:
    """Expire every lease."""
    await run(
        desk,
        f"UPDATE {SCHEMA}.message SET lease_until = now() - interval '1 s' WHERE state = 'leased'",
    )


async def due_now(desk: AsyncEngine) -> None:
    """Make messages that wait for a retry due."""
    await run(desk, f"UPDATE {SCHEMA}.message SET due_at = now() WHERE state = 'pending'")
