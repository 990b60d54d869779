"""Lists, shows and replays quarantined deliveries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.adapter.bootstrap import cause_of, unreachable
from router.broker.connection import KafkaConnection
from router.broker.producers import stop_within
from router.broker.refusals import is_refusal
from router.broker.rights import KafkaOperation, on_topic
from router.commands.actions.configured import load_settings
from router.commands.actions.kept import (
    ask_broker,
    read_kept,
    report_omitted,
    show_delivery,
    single,
)
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.contract.wire import OutgoingRecord
from router.edge.app import utc_now
from router.edge.endpoints import build_endpoints
from router.edge.intake import Clock
from router.edge.publishing.producer_line import ProducerTiming
from router.edge.publishing.publish import producer_factory
from router.errors import NotDurable, Reason
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.reader import QuarantineEntries, QuarantineEntry, read_quarantine
from router.quarantine.replay import PublishReplay, Replayer, ReplayVerdict, replay_verdict
from router.telemetry.logs import new_traceparent
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table

_PUBLISH_SECONDS = 30.0

_IN_FULL = {"verification", "raw"}


def list_quarantine(
    invocation: Invocation, filters: Mapping[str, Any], limit: int, *, as_json: bool
) -> None:
    """Print the newest deliveries that match."""
    found = _read(load_settings(invocation), KeptFilter(**filters))
    entries = found.entries[-limit:]
    if as_json:
        show_json([entry.as_json() for entry in entries])
    else:
        _show(entries)
        report_omitted(len(found.entries) - limit, found.unreadable)


def show_quarantined(invocation: Invocation, id_: str, *, as_json: bool) -> None:
    """Print one delivery in full."""
    found = _read(load_settings(invocation), KeptFilter(ids=(id_,))).entries
    entry = single(found, id_, "deliveries on quarantine")
    whole = {**entry.as_json(), **entry.kept.model_dump(mode="json", include=_IN_FULL)}
    if as_json:
        show_json(whole)
    else:
        show_delivery("", whole)


def replay_quarantined(
    invocation: Invocation,
    filters: Mapping[str, Any],
    limit: int,
    *,
    yes: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Replay the oldest deliveries that match, or print what a replay would publish."""
    settings = load_settings(invocation)
    endpoints = build_endpoints(settings)
    found = _read(settings, KeptFilter(**filters)).entries
    before = [entry for entry in found if entry.replayed is not None and not again]
    chosen = [entry for entry in found if entry.replayed is None or again][:limit]
    verdicts = [replay_verdict(entry, endpoints) for entry in chosen]
    if yes:
        verdicts = ask_broker(
            settings, _replayed(settings, verdicts, utc_now), KafkaOperation.WRITE
        )
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
        deliveries = [verdict.as_json() for verdict in verdicts]
        skipped = [entry.as_json() for entry in before]
        show_json({"done": done, "deliveries": deliveries, "replayed_before": skipped})
        return
    for entry in before:
        replayed = entry.replayed
        assert replayed is not None  # noqa: S101 - chosen by it
        when = f"{replayed.at:%Y-%m-%d %H:%M:%S} by {replayed.by}"
        click.echo(f"{entry.kept.id} was replayed {when}; --again repeats it")
    for verdict in verdicts:
        click.echo(_verdict_text(verdict, done=done))
    if not done and verdicts:
        click.echo("nothing was published; --yes does it")


def _verdict_text(verdict: ReplayVerdict, *, done: bool) -> str:
    events = ", ".join(f"{event.type} {event.id}" for event in verdict.events)
    word = "published" if done else "would publish"
    text = f"{verdict.entry.kept.id} {word} {events}" if events else str(verdict.entry.kept.id)
    return text if verdict.problem is None else f"{text}: {verdict.problem}"


def _read(settings: Settings, wanted: KeptFilter) -> QuarantineEntries:
    topic = settings.topics.topics().quarantine
    return read_kept(
        settings, lambda kafka, progress: read_quarantine(kafka, topic, wanted, progress)
    )


async def _replayed(
    settings: Settings, verdicts: Sequence[ReplayVerdict], clock: Clock
) -> list[ReplayVerdict]:
    """Replay each and return the results; one that is refused does not stop the others."""
    done: list[ReplayVerdict] = []
    async with _publisher(settings) as publish:
        topics = settings.topics.topics()
        replayer = Replayer(publish, topics, clock, new_traceparent, operator_name())
        for verdict in verdicts:
            try:
                done.append(await replayer.replay(verdict))
            except (KafkaError, TimeoutError, OSError) as error:
                why = unreachable(error, settings.kafka.bootstrap_servers)
                return [*done, *(each.unpublished(why) for each in verdicts[len(done) :])]
    return done


@contextlib.asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[PublishReplay]:
    kafka = KafkaConnection.of(settings.kafka)
    producer = producer_factory(kafka, settings.kafka.max_request_bytes)()

    async def publish(records: Sequence[OutgoingRecord]) -> None:
        async with asyncio.timeout(_PUBLISH_SECONDS):
            for record in records:
                await _sent(producer, record, kafka.principal)

    timing = ProducerTiming()
    try:
        async with asyncio.timeout(timing.connect_seconds):
            await producer.start()
        yield publish
    finally:
        await stop_within(producer, timing.stop_seconds)


async def _sent(producer: AIOKafkaProducer, record: OutgoingRecord, user: str) -> None:
    """Send one record; raises NotDurable if its topic refuses it."""
    try:
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )
    except KafkaError as error:
        if not is_refusal(error):
            raise
        writing = on_topic(user, KafkaOperation.WRITE, record.topic, "quarantine replay")
        message = f"topic {record.topic} refused it: {cause_of(error, [writing])}"
        raise NotDurable(Reason.NOT_DURABLE, message) from None


def _show(entries: Sequence[QuarantineEntry]) -> None:
    rows = [
        (
            entry.kept.id,
            f"{entry.kept.received_at:%Y-%m-%d %H:%M:%S}",
            entry.kept.endpoint,
            entry.kept.reason,
            entry.kept.detail,
            entry.times,
            "" if entry.replayed is None else f"{entry.replayed.at:%Y-%m-%d %H:%M:%S}",
        )
        for entry in entries
    ]
    columns = ("id", "received", "endpoint", "reason", "detail", "times", "replayed")
    show_table("", columns, rows, numbers=("times",))
