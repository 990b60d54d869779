"""What the runtime needs of the notifications, with the channels of the configuration."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.notifications.dispatcher import Dispatcher, Send
from consumers.notifications.handler import Handler
from consumers.notifications.leases import forget_addresses, skip_waiting
from consumers.notifications.measures import MEASURES
from consumers.notifications.options import ChannelOptions, Options
from consumers.notifications.outside import Outside, Sending, Told
from consumers.notifications.rendering import open_texts
from consumers.notifications.rules import LOG
from consumers.notifications.tables import METADATA
from consumers.notifications.trail import trail
from consumers.runtime.fate import Fate
from consumers.runtime.service import Service, Setup, Work
from consumers.runtime.store.database import transaction_of
from router.contract.order_fields import OrderFields, read_order
from router.contract.topics import ORDER

SEND_SECONDS = 1.0
"""Between two looks at what is due on a channel."""

ADDRESSES_SECONDS = 5.0
"""Between two looks at addresses that did not come, or are kept long enough."""


async def handle(transaction: AsyncConnection, events: Sequence[Any]) -> Sequence[Fate]:
    """Apply events by the rules that hold without configuration."""
    return await Handler(Options())(transaction, events)


def configured(service: Service, setup: Setup) -> Service:
    """Return the service with the rules, channels and texts of the configuration."""
    options: Options = setup.options
    texts = open_texts(options.templates, options.language)
    topic = setup.topics.outcome(service.name)
    ways = {LOG: (ChannelOptions.model_construct(), _to_log), **_outside(options)}
    sending = [
        Work(f"send {name}", SEND_SECONDS, Dispatcher(name, limits, send, texts, topic).run)
        for name, (limits, send) in ways.items()
    ]
    days = options.keep_addresses_days
    return replace(
        service,
        handle=Handler(options),
        readers={ORDER: read_order(setup.orders)},
        work=[*sending, Work("addresses", ADDRESSES_SECONDS, partial(tend_addresses, days=days))],
    )


async def tend_addresses(engine: AsyncEngine, days: float) -> bool:
    """Give up on addresses that did not come, forget old ones; tell whether there may be more."""
    async with transaction_of(engine) as transaction:
        skipped = await skip_waiting(transaction)
    async with transaction_of(engine) as transaction:
        return bool(await forget_addresses(transaction, days) or skipped)


def _outside(options: Options) -> dict[str, tuple[ChannelOptions, Send]]:
    return {name: (limits, _by(limits)) for name, limits in options.channels.items()}


def _by(limits: ChannelOptions) -> Send:
    outside = Outside(limits.url.get_secret_value() if limits.url else "")
    return lambda leased, rendered, key: outside.send(
        rendered, key, leased.address, limits.timeout_seconds
    )


def _to_log(*_: object) -> Told:
    """Leave it at the line that the dispatcher logs of every message."""
    return Told(Sending.SENT)


SERVICE = Service(
    name="notifications",
    topics=("payment", "payout", "subscription", ORDER),
    handle=handle,
    tables=METADATA,
    migrations="consumers.notifications.migrations",
    measures=MEASURES,
    readers={ORDER: read_order(OrderFields())},
    options=Options,
    configured=configured,
    says_outcomes=True,
    trail=trail,
)
