"""The notifications: who is told of what, once per change and channel."""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications import commands
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
from consumers.runtime.service import ConsumerActions, Service, Setup, Work
from consumers.runtime.store.database import transaction_of
from router.contract.order_fields import read_order
from router.contract.topics import ORDER

SEND_SECONDS = 1.0
"""Between two looks at what is due on a channel."""

ADDRESSES_SECONDS = 5.0
"""Between two looks at addresses that did not come, or are kept long enough."""


def configured(setup: Setup) -> ConsumerActions:
    """Return what the notifications do with the rules, channels and texts of the configuration."""
    options: Options = setup.options
    texts = open_texts(options.templates, options.language)
    topic = setup.topics.outcome("notifications")
    ways = {LOG: (ChannelOptions.model_construct(), _to_log), **_outside(options)}
    sending = [
        Work(f"send {name}", SEND_SECONDS, Dispatcher(name, limits, send, texts, topic).run)
        for name, (limits, send) in ways.items()
    ]
    days = options.keep_addresses_days
    return ConsumerActions(
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
    tables=METADATA,
    migrations="consumers.notifications.migrations",
    commands=[commands.list_, commands.show, commands.resend_, commands.test],
    measures=MEASURES,
    options=Options,
    configured=configured,
    says_outcomes=True,
    trail=trail,
)
"""What the runtime knows of the notifications."""
