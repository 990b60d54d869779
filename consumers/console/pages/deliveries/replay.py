"""The action that replays deliveries on quarantine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.pages.deliveries.broker import asked_broker
from consumers.console.pages.deliveries.filters import moment_given
from consumers.console.pages.deliveries.links import list_path
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import Away, WrongInput
from consumers.console.web.times import exact_text
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.commands.actions.held_admin import record_operation
from router.contract.amounts import amount_text
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.edge.endpoints import join_endpoints
from router.edge.intake import Endpoint
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.reader import read_newest
from router.quarantine.replay import ReplayPlan, ReplayVerdict, replay_plan
from router.quarantine.replaying import ReplayTarget, replay_all
from router.terminal.typed import typed

NEWEST: Final = 2_500
"""Number of the newest records of each partition that are searched."""

MOST: Final = 1_000
"""Most deliveries of one replay."""

_LINES: Final = 50
_SEEN: Final = "seen"
_FIELDS: Final = ("endpoint", "reason", "since", "account")


@dataclass(frozen=True)
class _Choice:
    """What a replay would do, and whether older deliveries were not searched."""

    plan: ReplayPlan
    older: bool

    @property
    def ready(self) -> Sequence[ReplayVerdict]:
        """The verdicts of deliveries that are understood now."""
        return [each for each in self.plan.verdicts if each.problem is None]

    @property
    def digest(self) -> str:
        """Names exactly the deliveries of a preview."""
        ids = " ".join(str(each.entry.kept.id) for each in self.ready)
        return hashlib.sha256(ids.encode()).hexdigest()


async def preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    """Return what a replay of these deliveries would publish."""
    chosen = await _chosen(visit, given)
    return ActionPreview(
        count=len(chosen.ready),
        accounts=frozenset(each.entry.kept.account for each in chosen.ready),
        lines=[_line(visit, each) for each in chosen.ready[:_LINES]],
        command=_command(given),
        warning=_warning(visit, chosen),
        fields=given.changed({_SEEN: chosen.digest}),
    )


async def run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    """Replay what was previewed, and nothing else."""
    chosen = await _chosen(visit, given)
    if chosen.digest != given.one(_SEEN):
        raise WrongInput(_SEEN, visit.text("web.action.count_changed"))
    await _record(visit, chosen, reason)
    async with asked_broker(visit) as kafka:
        topics = visit.sources.settings.topics.topics()
        target = ReplayTarget(kafka, topics, visit.sources.clock, visit.who)
        verdicts = await replay_all(target, chosen.ready)
    failed = [each.problem for each in verdicts if each.problem is not None]
    sentence = visit.count("deliveries.replay.done", len(verdicts) - len(failed))
    if failed:
        sentence += " " + visit.count("deliveries.replay.failed", len(failed), why=failed[0])
    return ActionDone(sentence, list_path(outcome="quarantined"))


async def _record(visit: ConsoleVisit, chosen: _Choice, reason: str) -> None:
    """Record the operation before it is done: no replay is without a record."""
    store = next(iter(visit.sources.stores), None)
    if store is None:
        raise Away(visit.text("deliveries.replay.no_store"))
    ids = ", ".join(str(each.entry.kept.id) for each in chosen.ready)
    detail = f"{len(chosen.ready)} deliveries: {ids}; reason: {reason}"
    tables = visit.sources.consumers[store].tables
    async with visit.acting(store) as engine, engine.begin() as transaction:
        await record_operation(transaction, tables, visit.who, "quarantine replay", detail)


async def _chosen(visit: ConsoleVisit, given: FormFields) -> _Choice:
    wanted, settings = _filter(visit, given), visit.sources.settings

    def fits(kept: Quarantined) -> bool:
        account = given.one("account")
        mine = visit.viewer.may(Role.OPERATOR, kept.account)
        return mine and account in {"", kept.account} and wanted.fits(kept)

    async with asked_broker(visit) as kafka:
        topic = settings.topics.topics().quarantine
        newest = await read_newest(kafka, topic, fits, NEWEST)
    return _Choice(replay_plan(newest.found.entries, _endpoints(visit), MOST), newest.older)


def _endpoints(visit: ConsoleVisit) -> Mapping[str, Endpoint]:
    """Return the endpoints whose keys this process has; the problems of others are verdicts."""
    settings = visit.sources.settings
    return join_endpoints(settings.endpoints, settings.edge.public_url)[0]


def _filter(visit: ConsoleVisit, given: FormFields) -> KeptFilter:
    return KeptFilter(
        ids=given.every("id"),
        reason=given.one("reason") or None,
        endpoint=given.one("endpoint") or None,
        since=moment_given(visit, "since", given.one("since")),
    )


def _command(given: FormFields) -> str:
    options = {f"--{name}": given.one(name) for name in _FIELDS[:3] if given.one(name)}
    ids = [word for each in given.every("id") for word in ("--id", each)]
    return typed("payrouter quarantine replay", (), options, [*ids, "--yes"])


def _warning(visit: ConsoleVisit, chosen: _Choice) -> str:
    sentences = []
    problems = [each.problem for each in chosen.plan.verdicts if each.problem is not None]
    if problems:
        sentences.append(visit.count("deliveries.replay.not_ready", len(problems), why=problems[0]))
    if chosen.plan.before:
        sentences.append(visit.count("deliveries.replay.before", len(chosen.plan.before)))
    if chosen.older:
        sentences.append(visit.text("deliveries.replay.older", n=NEWEST))
    return " ".join(sentences)


def _line(visit: ConsoleVisit, verdict: ReplayVerdict) -> str:
    kept = verdict.entry.kept
    events = ", ".join(
        f"{event.type}{_amount(event)} {event.reference or ''}".rstrip() for event in verdict.events
    )
    meaning = events or visit.text("deliveries.replay.no_event")
    return f"{kept.endpoint}, {exact_text(kept.received_at, visit.zone)}, {kept.reason}: {meaning}"


def _amount(event: Event) -> str:
    return "" if event.amount is None else f" {amount_text(event.amount)} {event.currency}"


REPLAY: Final = ConsoleAction(
    name="replay",
    key="deliveries.replay",
    needs=Role.OPERATOR,
    preview=preview,
    run=run,
    back="/deliveries?outcome=quarantined",
)
