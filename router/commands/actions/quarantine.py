"""Lists, shows and replays quarantined deliveries."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from router.broker.connection import KafkaConnection
from router.broker.rights import KafkaOperation
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
from router.edge.app import utc_now
from router.edge.endpoints import build_endpoints
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.reader import QuarantineEntries, QuarantineEntry, read_quarantine
from router.quarantine.replay import ReplayVerdict, replay_plan
from router.quarantine.replaying import ReplayTarget, replay_all
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table

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
    plan = replay_plan(found, endpoints, limit, again=again)
    verdicts = plan.verdicts
    if yes:
        topics = settings.topics.topics()
        kafka = KafkaConnection.of(settings.kafka)
        target = ReplayTarget(kafka, topics, utc_now, operator_name())
        verdicts = ask_broker(settings, replay_all(target, verdicts), KafkaOperation.WRITE)
    _report(plan.before, verdicts, done=yes, as_json=as_json)
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
