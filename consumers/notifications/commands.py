"""`payrouter notifications list|show|resend|test`."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import click

from consumers.notifications.addresses import mailbox
from consumers.notifications.apprise_channel import AppriseChannel, SendResult, SendStatus
from consumers.notifications.options import NotificationOptions
from consumers.notifications.reading import MessageFilter, MessageRow, list_messages, resend
from consumers.notifications.rendering import Rendered, TextsError, open_texts
from consumers.notifications.rules import CUSTOMER, LOG
from consumers.notifications.tables import SCHEMA, STATES
from consumers.runtime.commands.held_admin import record_operation
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    operator,
    show_json,
    show_table,
)
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables


@click.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--event", "event_id", type=click.UUID, help="Only those about this event.")
@click.option("--order", help="The order's reference, or the gateway's number of the payment.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@json_option
@click.pass_obj
def list_(
    settings: ConsumerSettings,
    *,
    state: str | None,
    event_id: UUID | None,
    order: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest messages, oldest first."""
    wanted = MessageFilter(state=state, event_id=event_id, order=order, limit=limit)
    rows = _found(settings, wanted)
    if as_json:
        show_json([row.as_json() for row in rows])
        return
    show_table(
        f"{len(rows)} message{'' if len(rows) == 1 else 's'}",
        ("message", "what"),
        # Two lines each: so neither an id nor an order's number is torn in 80 columns.
        [(f"{row.id}\n{_state(row)}", _what(row)) for row in rows],
    )


@click.command
@click.argument("message", type=click.UUID)
@json_option
@click.pass_obj
def show(settings: ConsumerSettings, message: UUID, *, as_json: bool) -> None:
    """Show MESSAGE whole, with its text as it would be sent now."""
    rows = _found(settings, MessageFilter(ids=[message]))
    if not rows:
        text = f"there is no message {message}"
        raise click.ClickException(text)
    whole = {**rows[0].as_json(), **_text(settings, rows[0])}
    if as_json:
        show_json(whole)
    else:
        known = [(name, value) for name, value in whole.items() if value is not None]
        show_table(f"message {message}", ("field", "value"), known)


@click.command("resend")
@click.argument("messages", type=click.UUID, nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed, since the time given.")
@click.option("--since", type=click.DateTime(), help="Failed at this time (UTC) or later.")
@json_option
@click.pass_obj
def resend_(
    settings: ConsumerSettings,
    messages: tuple[UUID, ...],
    *,
    failed: bool,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Have MESSAGES sent again by the running consumer, whether they failed or were sent."""
    if bool(messages) == failed or failed != (since is not None):
        text = "give messages, or --failed with --since"
        raise click.UsageError(text)

    async def act() -> tuple[Sequence[UUID], Sequence[UUID]]:
        async with acting(settings) as engine, engine.begin() as transaction:
            asked: Sequence[UUID] = messages
            if since is not None:
                wanted = MessageFilter(failed_since=since.replace(tzinfo=UTC), limit=_MOST)
                asked = [row.id for row in await list_messages(transaction, wanted)]
            done = await resend(transaction, asked)
            detail = json.dumps({"failed since": str(since), "messages": [str(i) for i in done]})
            tables = RuntimeTables.of(SCHEMA)
            await record_operation(transaction, tables, operator(), "notifications resend", detail)
            return asked, done

    asked, done = answered(act())
    left = sorted(set(asked) - set(done))
    if as_json:
        show_json({"resent": [str(each) for each in done], "left": [str(each) for each in left]})
    else:
        click.echo(f"{len(done)} messages are due now")
        for each in left:
            click.echo(f"{each}: not there, still to be sent, or without an address", err=True)
    sys.exit(EXIT_PROBLEM if left else 0)


_MOST = 100_000
"""Failed messages that one command has sent again."""


@click.command
@click.argument("channel")
@click.option("--to", "address", help="For a mail channel whose URL names nobody.")
@click.pass_obj
def test(settings: ConsumerSettings, channel: str, *, address: str | None) -> None:
    """Send a test message by CHANNEL now, and say what happened."""
    started = time.monotonic()
    result = _tested(cast("NotificationOptions", settings.options), channel, address)
    if result.status is SendStatus.SENT:
        click.echo(f"{channel}: sent in {time.monotonic() - started:.1f} s")
        return
    text = f"{channel}: {result.why}"
    raise click.ClickException(text)


def _tested(options: NotificationOptions, channel: str, address: str | None) -> SendResult:
    if channel == LOG:
        return SendResult(SendStatus.SENT)
    if channel not in options.channels:
        known = ", ".join([LOG, *options.channels])
        text = f"there is no channel {channel}; there are {known}"
        raise click.UsageError(text)
    limits = options.channels[channel]
    outside = AppriseChannel(limits.url.get_secret_value() if limits.url else "")
    if outside.addressed != (address is not None):
        text = f"--to: {channel} {'needs' if outside.addressed else 'takes no'} address"
        raise click.UsageError(text)
    if address is not None and mailbox(address) is None:
        text = "--to: one plain address, such as me@example.com"
        raise click.UsageError(text)
    text = "This is a test of a channel of payrouter. Nothing happened to anybody's money.\n"
    rendered = Rendered(f"Test of the channel {channel}", text)
    return outside.send(rendered, f"test-{time.time_ns()}", address, limits.timeout_seconds)


def _found(settings: ConsumerSettings, wanted: MessageFilter) -> Sequence[MessageRow]:
    async def read() -> Sequence[MessageRow]:
        async with reading(settings) as connection:
            return await list_messages(connection, wanted)

    return answered(read())


def _what(row: MessageRow) -> str:
    return f"{row.kind} → {row.recipient} by {row.channel}\n{row.order or ''}"


def _state(row: MessageRow) -> str:
    moment = row.sent_at or row.failed_at
    when = "" if moment is None else f" {moment:%Y-%m-%d %H:%M:%S}"
    if row.wait_until is not None:
        return "pending, waits for an address"
    tries = f", {row.attempts} tries" if row.attempts > 1 else ""
    return f"{row.state}{when}{tries}" + (f": {row.last_error}" if row.last_error else "")


def _text(settings: ConsumerSettings, row: MessageRow) -> dict[str, str | None]:
    options = cast("NotificationOptions", settings.options)
    texts = open_texts(options.templates, options.language)
    audience = CUSTOMER if row.recipient == CUSTOMER else "operator"
    try:
        rendered = texts.render(audience, row.kind, row.language, json.loads(row.facts))
    except TextsError as problem:
        return {"text": f"cannot be written: {problem}"}
    return {"subject": rendered.subject, "body": rendered.body, "html": rendered.html}
