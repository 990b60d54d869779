"""Declares the notifications to the consumer runtime, with the configured channels."""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.cases import CASES
from consumers.notifications.handler import NotificationHandler
from consumers.notifications.measures import MEASURES
from consumers.notifications.options import ChannelOptions, NotificationOptions
from consumers.notifications.outcomes import OUTCOMES, read_outcome
from consumers.notifications.rules import LOG
from consumers.notifications.sending.apprise_channel import AppriseChannel, SendResult, SendStatus
from consumers.notifications.sending.dispatcher import Dispatcher, MessageSender
from consumers.notifications.sending.leases import delete_old_addresses, skip_overdue
from consumers.notifications.sending.rendering import open_texts
from consumers.notifications.tables import METADATA
from consumers.notifications.trail import trail
from consumers.runtime.service import ConsumerActions, Service, Setup, Work
from consumers.runtime.store.database import transaction_of
from router.contract.order_fields import read_order
from router.contract.topics import ORDER

SEND_SECONDS = 1.0
"""Pause between checks for messages due on a channel."""

ADDRESSES_SECONDS = 5.0
"""Pause between checks for overdue and expired addresses."""


def configured(setup: Setup) -> ConsumerActions:
    """Return what the notifications do with the configured rules, channels and texts."""
    # Only a process that applies records needs it.
    from consumers.notifications.plain.handling import PlainNotificationHandler  # noqa: PLC0415
    from consumers.notifications.sending.recall import recall_sent  # noqa: PLC0415

    options: NotificationOptions = setup.options
    texts = open_texts(options.templates, options.language)
    topic = setup.topics.outcome("notifications")
    channels = {LOG: (ChannelOptions.model_construct(), _to_log), **_configured_channels(options)}
    sending = [
        Work(f"send {name}", SEND_SECONDS, Dispatcher(name, limits, send, texts, topic).run)
        for name, (limits, send) in channels.items()
    ]
    days = options.keep_addresses_days
    return ConsumerActions(
        handle=NotificationHandler(options),
        plain=PlainNotificationHandler(options),
        recall=recall_sent,
        readers={ORDER: read_order(setup.orders), OUTCOMES: read_outcome},
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
    topics=("payment", "payout", "subscription", ORDER, OUTCOMES),
    tables=METADATA,
    migrations="consumers.notifications.migrations",
    measures=MEASURES,
    options=NotificationOptions,
    configured=configured,
    says_outcomes=True,
    recalls=True,
    trail=trail,
    cases=CASES,
)
