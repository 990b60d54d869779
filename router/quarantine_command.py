"""`payrouter quarantine list|show|replay`: what is genuine and had no effect, for an operator."""

import asyncio
import base64
import contextlib
import functools
import getpass
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from router.app import build_endpoints, utc_now
from router.contract.wire import OutgoingRecord
from router.intake import Clock
from router.invocation import (
    EXIT_PROBLEM,
    Invocation,
    console,
    invoked,
    json_option,
    listing,
    say_once,
)
from router.kafka_client import client_options
from router.publish import CONNECT_SECONDS, STOP_SECONDS, producer_factory
from router.quarantine import Entry, Found, Wanted, read_quarantine
from router.quarantine_replay import Publish, Replayer, Verdict, judged
from router.settings import Settings
from router.telemetry.logs import new_traceparent

Answer = TypeVar("Answer")

_PUBLISH_SECONDS = 30.0

_FILTERS = (
    click.option("--id", "ids", multiple=True, help="Id or its beginning; may be repeated."),
    click.option("--reason", help="Such as unknown_status or stale."),
    click.option("--provider", help="Of this gateway."),
    click.option("--endpoint", help="Of this endpoint."),
    click.option("--since", type=click.DateTime(), help="Received at this time (UTC) or later."),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters, and as its argument `wanted` what they say."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401
        ids: tuple[str, ...],
        reason: str | None,
        provider: str | None,
        endpoint: str | None,
        since: datetime | None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        moment = None if since is None else since.replace(tzinfo=UTC)
        wanted = Wanted(ids, reason, provider, endpoint, moment)
        return command(*args, wanted=wanted, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_FILTERS), wrapped)


@click.group()
def quarantine() -> None:
    """Look at genuine deliveries that had no effect, and have them taken in."""


@quarantine.command("list")
@invoked
@filtered
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@json_option
def quarantine_list(invocation: Invocation, *, wanted: Wanted, limit: int, as_json: bool) -> None:
    """Show what lies there, the youngest last; reads the topic and changes nothing."""
    found = _read(invocation.settings(), wanted)
    entries = found.entries[-limit:]
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in entries]))
    else:
        _show(entries)
        _say_rest(found, limit)


@quarantine.command("show")
@click.argument("quarantined")
@invoked
@json_option
def quarantine_show(invocation: Invocation, quarantined: str, *, as_json: bool) -> None:
    """Show one delivery whole, by its id or the beginning of it."""
    found = _read(invocation.settings(), Wanted(ids=(quarantined,))).entries
    if len(found) != 1:
        count = len(found) or "no"
        message = f"{count} deliveries on quarantine have an id that begins with {quarantined}"
        raise click.ClickException(message)
    (entry,) = found
    whole = {**entry.as_json(), **entry.kept.model_dump(mode="json", include=_WHOLE)}
    if as_json:
        click.echo(json.dumps(whole))
        return
    table = listing("field", "value")
    for name, value in _flat(whole):
        table.add_row(name, Text(_shown(value)))
    if entry.kept.raw.body_encoding == "base64":
        table.add_row("body, as far as it is text", Text(_shown(_as_text(entry.kept.raw.body))))
    console().print(table)


def _as_text(body: str) -> str:
    return base64.b64decode(body).decode("utf-8", "backslashreplace")


def _flat(value: object, under: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield under, value
        return
    for name, inner in value.items():
        yield from _flat(inner, f"{under}.{name}" if under else name)


def _shown(value: object) -> str:
    # What others wrote may hold what a terminal would obey.
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


_WHOLE = {"verification", "raw"}


@quarantine.command("replay")
@invoked
@filtered
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@click.option("--again", is_flag=True, help="Those that were replayed before, too.")
@json_option
def quarantine_replay(
    invocation: Invocation,
    *,
    wanted: Wanted,
    limit: int,
    yes: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Verify, normalize and publish again, oldest first, under the original identity.

    Harmless twice: the event ids are the same. Fails where something could
    not be replayed.
    """
    settings = invocation.settings()
    endpoints = build_endpoints(settings)
    found = _read(settings, wanted).entries
    before = [entry for entry in found if entry.replayed is not None and not again]
    chosen = [entry for entry in found if entry.replayed is None or again][:limit]
    verdicts = [judged(entry, endpoints) for entry in chosen]
    if yes:
        _answered(_replayed(settings, verdicts, utc_now))
    _report(before, verdicts, done=yes, as_json=as_json)
    if any(verdict.problem is not None for verdict in verdicts):
        raise SystemExit(EXIT_PROBLEM)


def _report(
    before: Sequence[Entry], verdicts: Sequence[Verdict], *, done: bool, as_json: bool
) -> None:
    if as_json:
        told = [verdict.as_json() for verdict in verdicts]
        skipped = [entry.as_json() for entry in before]
        click.echo(json.dumps({"done": done, "deliveries": told, "replayed_before": skipped}))
        return
    for entry in before:
        replayed = entry.replayed
        assert replayed is not None  # noqa: S101 - chosen by it
        when = f"{replayed.at:%Y-%m-%d %H:%M:%S} by {replayed.by}"
        click.echo(f"{entry.kept.id} was replayed {when}; --again repeats it")
    for verdict in verdicts:
        click.echo(_verdict_told(verdict, done=done))
    if not done and verdicts:
        click.echo("nothing was published; --yes does it")


def _verdict_told(verdict: Verdict, *, done: bool) -> str:
    events = ", ".join(f"{event.type} {event.id}" for event in verdict.events)
    word = "published" if done else "would publish"
    told = f"{verdict.entry.kept.id} {word} {events}" if events else str(verdict.entry.kept.id)
    return told if verdict.problem is None else f"{told}: {verdict.problem}"


def _read(settings: Settings, wanted: Wanted) -> Found:
    say_once()
    topic = settings.topics.topics().quarantine
    with _progress() as progress:
        options = client_options(settings.kafka)
        return _answered(read_quarantine(options, topic, wanted, progress))


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True, disable=not _is_watched()) as bar:
        task = bar.add_task("reading quarantine", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _is_watched() -> bool:
    return sys.stderr.isatty()


def _answered(question: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(question)
    except (KafkaError, TimeoutError, OSError) as error:
        message = f"the broker does not answer: {type(error).__name__}"
        raise click.ClickException(message) from None


async def _replayed(settings: Settings, verdicts: Sequence[Verdict], clock: Clock) -> None:
    async with _publisher(settings) as publish:
        topics = settings.topics.topics()
        replayer = Replayer(publish, topics, clock, new_traceparent, _operator())
        for verdict in verdicts:
            await replayer.replay(verdict)


@contextlib.asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[Publish]:
    options = client_options(settings.kafka)
    producer = producer_factory(options, settings.kafka.max_request_bytes)()

    async def publish(records: Sequence[OutgoingRecord]) -> None:
        async with asyncio.timeout(_PUBLISH_SECONDS):
            for record in records:
                await producer.send_and_wait(
                    record.topic, record.value, key=record.key, headers=list(record.headers)
                )

    try:
        await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
        yield publish
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), STOP_SECONDS)


def _operator() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _show(entries: Sequence[Entry]) -> None:
    table = listing("id", "received", "endpoint", "reason", "detail", "times", "replayed")
    for entry in entries:
        kept, replayed = entry.kept, entry.replayed
        table.add_row(
            str(kept.id),
            f"{kept.received_at:%Y-%m-%d %H:%M:%S}",
            Text(kept.endpoint),
            Text(kept.reason),
            Text(kept.detail),
            str(entry.times),
            "" if replayed is None else f"{replayed.at:%Y-%m-%d %H:%M:%S}",
        )
    console().print(table)


def _say_rest(found: Found, limit: int) -> None:
    if len(found.entries) > limit:
        click.echo(
            f"{len(found.entries) - limit} older ones are there; --limit shows more", err=True
        )
    if found.unreadable:
        click.echo(f"{found.unreadable} records of the topic are not ours to read", err=True)
