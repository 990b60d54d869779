"""`payrouter notifications list|show|resend|test`."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from consumers.runtime.commands.one_consumer import settings_of
from router.terminal.command_tree import example
from router.terminal.completion import complete_channel
from router.terminal.options import json_option, limit_option, since_option

if TYPE_CHECKING:
    from consumers.runtime.settings import ConsumerSettings

STATES = ("pending", "leased", "sent", "failed", "skipped")
"""The states of `consumers.notifications.tables`, without importing it."""


@click.command("list", epilog=example("notifications list --order A-1"))
@settings_of("notifications")
@click.option("--state", type=click.Choice(STATES), help="Only messages in this state.")
@click.option("--event", "event_id", type=click.UUID, help="Only messages about this event.")
@click.option("--order", help="Reference of the order, or the gateway's number of the payment.")
@click.option("--account", help="Only messages about this merchant.")
@click.option("--channel", help="Only messages by this channel.", shell_complete=complete_channel)
@click.option("--kind", help="Only messages of this kind: payment.confirmed.")
@limit_option(50)
@json_option
def list_(  # noqa: PLR0913 - one argument per option
    settings: "ConsumerSettings",
    *,
    state: str | None,
    event_id: UUID | None,
    order: str | None,
    account: str | None,
    channel: str | None,
    kind: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest messages, oldest first."""
    from consumers.notifications.commands_messages import list_and_show
    from consumers.notifications.reading import MessageFilter

    wanted = MessageFilter(
        state=state,
        event_id=event_id,
        order=order,
        account=account,
        channel=channel,
        kind=kind,
        limit=limit,
    )
    list_and_show(settings, wanted, as_json=as_json)


@click.command("show", epilog=example("notifications show 8f7af8a8"))
@settings_of("notifications")
@click.argument("message")
@json_option
def show(settings: "ConsumerSettings", message: str, *, as_json: bool) -> None:
    """Show MESSAGE in full, with its text as it would be sent now.

    MESSAGE is the id of the message, or its beginning.
    """
    from consumers.notifications.commands_messages import show_message

    show_message(settings, message, as_json=as_json)


@click.command(
    "resend",
    epilog=example(
        "notifications resend 8f7af8a8-479e-5a3e-9cd0-bd4446be7375",
        "notifications resend --failed --since 2026-11-22",
    ),
)
@settings_of("notifications")
@click.argument("messages", type=click.UUID, nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed since the time given by --since.")
@since_option("Failed at this time or later")
@json_option
def resend(
    settings: "ConsumerSettings",
    messages: tuple[UUID, ...],
    *,
    failed: bool,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Send MESSAGES again, whether they failed or were sent.

    The running consumer sends them. The operation and its author are recorded. Exits
    with status 1 if one cannot be sent again.
    """
    if bool(messages) == failed or failed != (since is not None):
        text = "give messages, or --failed with --since"
        raise click.UsageError(text)
    from consumers.notifications.commands_messages import resend_messages

    resend_messages(settings, messages, since, as_json=as_json)


@click.command(
    "test",
    epilog=example("notifications test ops", "notifications test mail --to me@example.com"),
)
@settings_of("notifications")
@click.argument("channel", shell_complete=complete_channel)
@click.option("--to", "address", help="Recipient, for a mail channel whose URL has none.")
def test(settings: "ConsumerSettings", channel: str, *, address: str | None) -> None:
    """Send a test message by CHANNEL now and print the result."""
    from consumers.notifications.commands_messages import send_test

    send_test(settings, channel, address)
