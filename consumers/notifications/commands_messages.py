"""Shows and resends messages, and tests channels."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import click

from consumers.notifications.options import NotificationOptions
from consumers.notifications.reading import MessageFilter, MessageRow, list_messages
from consumers.notifications.rules import LOG
from consumers.notifications.sending.addresses import mailbox
from consumers.notifications.sending.apprise_channel import AppriseChannel, SendResult, SendStatus
from consumers.notifications.sending.preview import preview_of
from consumers.notifications.sending.rendering import Rendered, TextsError
from consumers.notifications.sending.resending import resend_recorded
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from router.terminal.exits import EXIT_PROBLEM, CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

_MOST = 100_000
"""Failed messages that one command resends at most."""


def list_and_show(settings: ConsumerSettings, wanted: MessageFilter, *, as_json: bool) -> None:
    """Print the messages that match."""
    rows = _found(settings, wanted)
    if as_json:
        show_json([row.as_json() for row in rows])
        return
    show_table(
        f"{len(rows)} message{'' if len(rows) == 1 else 's'}",
        ("message", "what"),
        # Two lines per message, so that no id or order number breaks in 80 columns.
        [(f"{row.id}\n{_state(row)}", _what(row)) for row in rows],
    )


def show_message(settings: ConsumerSettings, message: str, *, as_json: bool) -> None:
    """Print one message, given by its id or the beginning of it, with its text."""
    rows = _found(settings, MessageFilter(between=_ids_from(message)))
    if len(rows) != 1:
        many = f"there are {len(rows)} messages with an id that begins with {message}"
        raise CommandError(many if rows else f"there is no message {message}")
    whole = {**rows[0].as_json(), **_text(settings, rows[0])}
    if as_json:
        show_json(whole)
    else:
        known = [(name, value) for name, value in whole.items() if value is not None]
        show_table(f"message {rows[0].id}", ("field", "value"), known)


def _ids_from(beginning: str) -> tuple[UUID, UUID]:
    """Return the lowest and the highest id that begins so. Raises UsageError."""
    digits = beginning.replace("-", "")
    try:
        return UUID(f"{digits:0<32}"), UUID(f"{digits:f<32}")
    except ValueError:
        text = f"{beginning} is not the beginning of an id"
        raise click.UsageError(text) from None


def resend_messages(
    settings: ConsumerSettings, messages: Sequence[UUID], since: datetime | None, *, as_json: bool
) -> None:
    """Make messages due again: those given, or those that failed since a time."""

    async def act() -> tuple[Sequence[UUID], Sequence[UUID]]:
        async with acting(settings) as engine, engine.begin() as transaction:
            asked = messages
            if since is not None:
                wanted = MessageFilter(failed_since=since, limit=_MOST)
                asked = [row.id for row in await list_messages(transaction, wanted)]
            given = None if since is None else since.astimezone(UTC).replace(tzinfo=None)
            about = {"failed since": str(given)}
            return asked, await resend_recorded(transaction, asked, operator_name(), about)

    asked, done = run_async(act())
    left = sorted(set(asked) - set(done))
    if as_json:
        show_json({"resent": [str(each) for each in done], "left": [str(each) for each in left]})
    else:
        click.echo(f"{len(done)} messages are due now")
        for each in left:
            click.echo(f"{each}: not there, still to be sent, or without an address", err=True)
    sys.exit(EXIT_PROBLEM if left else 0)


def send_test(settings: ConsumerSettings, channel: str, address: str | None) -> None:
    """Send a test message and print how long it took, or end with the reason of the failure."""
    started = time.monotonic()
    result = _tested(cast("NotificationOptions", settings.options), channel, address)
    if result.status is not SendStatus.SENT:
        text = f"{channel}: {result.why}"
        raise CommandError(text)
    click.echo(f"{channel}: sent in {time.monotonic() - started:.1f} s")


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
        async with reading(settings.listing) as connection:
            return await list_messages(connection, wanted)

    return run_async(read())


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
    try:
        rendered = preview_of(cast("NotificationOptions", settings.options), row)
    except TextsError as problem:
        return {"text": f"cannot be written: {problem}"}
    return {"subject": rendered.subject, "body": rendered.body, "html": rendered.html}
