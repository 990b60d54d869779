"""`payrouter quarantine list|show|replay`: what is genuine and had no effect, for an operator."""

import asyncio
import contextlib
import getpass
import json
import socket
from collections.abc import AsyncIterator, Sequence

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.text import Text

from router.broker.connection import KafkaConnection
from router.broker.producers import stop_within
from router.broker.refusals import is_refusal
from router.commands.invocation import (
    EXIT_PROBLEM,
    Invocation,
    console,
    invoked,
    json_option,
    listing,
)
from router.commands.kept import answered, filtered, read_kept, say_rest, show_fields, single
from router.configuration.settings import Settings
from router.contract.wire import OutgoingRecord
from router.edge.app import utc_now
from router.edge.endpoints import build_endpoints
from router.edge.intake import Clock
from router.edge.publishing.producer_line import CONNECT_SECONDS, STOP_SECONDS
from router.edge.publishing.publish import producer_factory
from router.errors import NotDurable, Reason
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.reader import QuarantineEntries, QuarantineEntry, read_quarantine
from router.quarantine.replay import PublishReplay, Replayer, ReplayVerdict, replay_verdict
from router.telemetry.logs import new_traceparent

_PUBLISH_SECONDS = 30.0


@click.group()
def quarantine() -> None:
    """Look at genuine deliveries that had no effect, and have them taken in."""


@quarantine.command("list")
@invoked
@filtered
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@json_option
def quarantine_list(
    invocation: Invocation, *, wanted: KeptFilter, limit: int, as_json: bool
) -> None:
    """Show what lies there, the youngest last; reads the topic and changes nothing."""
    found = _read(invocation.settings(), wanted)
    entries = found.entries[-limit:]
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in entries]))
    else:
        _show(entries)
        say_rest(len(found.entries) - limit, found.unreadable)


@quarantine.command("show")
@click.argument("quarantined")
@invoked
@json_option
def quarantine_show(invocation: Invocation, quarantined: str, *, as_json: bool) -> None:
    """Show one delivery whole, by its id or the beginning of it."""
    found = _read(invocation.settings(), KeptFilter(ids=(quarantined,))).entries
    entry = single(found, quarantined, "deliveries on quarantine")
    whole = {**entry.as_json(), **entry.kept.model_dump(mode="json", include=_WHOLE)}
    if as_json:
        click.echo(json.dumps(whole))
        return
    show_fields(whole)


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
    wanted: KeptFilter,
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
    verdicts = [replay_verdict(entry, endpoints) for entry in chosen]
    if yes:
        verdicts = answered(_replayed(settings, verdicts, utc_now))
    _report(before, verdicts, done=yes, as_json=as_json)
    if any(verdict.problem is not None for verdict in verdicts):
        raise SystemExit(EXIT_PROBLEM)


def _report(
    before: Sequence[QuarantineEntry],
    verdicts: Sequence[ReplayVerdict],
    *,
    done: bool,
    as_json: bool,
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


def _verdict_told(verdict: ReplayVerdict, *, done: bool) -> str:
    events = ", ".join(f"{event.type} {event.id}" for event in verdict.events)
    word = "published" if done else "would publish"
    told = f"{verdict.entry.kept.id} {word} {events}" if events else str(verdict.entry.kept.id)
    return told if verdict.problem is None else f"{told}: {verdict.problem}"


def _read(settings: Settings, wanted: KeptFilter) -> QuarantineEntries:
    topic = settings.topics.topics().quarantine
    return read_kept(settings, lambda kafka, told: read_quarantine(kafka, topic, wanted, told))


async def _replayed(
    settings: Settings, verdicts: Sequence[ReplayVerdict], clock: Clock
) -> list[ReplayVerdict]:
    """Replay each, and return what became of it. What is refused holds up no other."""
    done: list[ReplayVerdict] = []
    async with _publisher(settings) as publish:
        topics = settings.topics.topics()
        replayer = Replayer(publish, topics, clock, new_traceparent, _operator())
        for verdict in verdicts:
            try:
                done.append(await replayer.replay(verdict))
            except (KafkaError, TimeoutError, OSError) as error:
                why = f"the broker does not answer: {type(error).__name__}"
                return [*done, *(each.unpublished(why) for each in verdicts[len(done) :])]
    return done


@contextlib.asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[PublishReplay]:
    kafka = KafkaConnection.of(settings.kafka)
    producer = producer_factory(kafka, settings.kafka.max_request_bytes)()

    async def publish(records: Sequence[OutgoingRecord]) -> None:
        async with asyncio.timeout(_PUBLISH_SECONDS):
            for record in records:
                await _sent(producer, record)

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await producer.start()
        yield publish
    finally:
        await stop_within(producer, STOP_SECONDS)


async def _sent(producer: AIOKafkaProducer, record: OutgoingRecord) -> None:
    """Send one record; raise NotDurable where its topic refuses it."""
    try:
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )
    except KafkaError as error:
        if not is_refusal(error):
            raise
        message = f"topic {record.topic} refused it: {type(error).__name__}"
        raise NotDurable(Reason.NOT_DURABLE, message) from None


def _operator() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _show(entries: Sequence[QuarantineEntry]) -> None:
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
