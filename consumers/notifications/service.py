"""Declares the notifications to the consumer runtime, with the configured channels."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.notifications.apprise_channel import AppriseChannel, SendResult, SendStatus
from consumers.notifications.dispatcher import Dispatcher, MessageSender
from consumers.notifications.handler import NotificationHandler
from consumers.notifications.leases import delete_old_addresses, skip_overdue
from consumers.notifications.measures import MEASURES
from consumers.notifications.options import ChannelOptions, NotificationOptions
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
"""Pause between checks for messages due on a channel."""

ADDRESSES_SECONDS = 5.0
"""Pause between checks for overdue and expired addresses."""


async def handle(transaction: AsyncConnection, events: Sequence[Any]) -> Sequence[Fate]:
    """Apply events by the default rules."""
    return await NotificationHandler(NotificationOptions())(transaction, events)


def configured(service: Service, setup: Setup) -> Service:
    """Return the service with the rules, channels and texts of the configuration."""
    options: NotificationOptions = setup.options
    texts = open_texts(options.templates, options.language)
    topic = setup.topics.outcome(service.name)
    channels = {LOG: (ChannelOptions.model_construct(), _to_log), **_configured_channels(options)}
    sending = [
        Work(f"send {name}", SEND_SECONDS, Dispatcher(name, limits, send, texts, topic).run)
        for name, (limits, send) in channels.items()
    ]
    days = options.keep_addresses_days
    return replace(
        service,
        handle=NotificationHandler(options),
        readers={ORDER: read_order(setup.orders)},
        work=[
            *sending,
            Work("addresses", ADDRESSES_SECONDS, partial(clean_up_addresses, days=days)),
        ],
    )


async def clean_up_addresses(engine: AsyncEngine, days: float) -> bool:
    """Skip messages whose address is overdue, delete old addresses; return if there may be more."""
    async with transaction_of(engine) as transaction:
        skipped = await skip_overdue(transaction)
    async with transaction_of(engine) as transaction:
        return bool(await delete_old_addresses(transaction, days) or skipped)


def _configured_channels(
    options: NotificationOptions,
) -> dict[str, tuple[ChannelOptions, MessageSender]]:
    return {name: (limits, _sender(limits)) for name, limits in options.channels.items()}


def _sender(limits: ChannelOptions) -> MessageSender:
    channel = AppriseChannel(limits.url.get_secret_value() if limits.url else "")
    return lambda leased, rendered, key: channel.send(
        rendered, key, leased.address, limits.timeout_seconds
    )


def _to_log(*_: object) -> SendResult:
    """Do nothing: the dispatcher logs every message."""
    return SendResult(SendStatus.SENT)


SERVICE = Service(
    name="notifications",
    topics=("payment", "payout", "subscription", ORDER),
    handle=handle,
    tables=METADATA,
    migrations="consumers.notifications.migrations",
    measures=MEASURES,
    readers={ORDER: read_order(OrderFields())},
    options=NotificationOptions,
    configured=configured,
    says_outcomes=True,
    trail=trail,
)
