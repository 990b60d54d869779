"""Applies a batch of events to the books, each exactly once."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import SCHEMA
from consumers.ledger.cases import log_event
from consumers.ledger.facts.fold import Fold
from consumers.ledger.facts.position import (
    MovementKey,
    Position,
    absorb,
    movements_of,
    new_position,
)
from consumers.ledger.options import LedgerOptions
from consumers.ledger.outcomes import OUTCOME_TOPIC, posted_outcome
from consumers.ledger.postings import NOTHING, Assessment, assess, difference
from consumers.ledger.writing import journal, positions
from consumers.ledger.writing.journal import Entry
from consumers.ledger.writing.positions import KeptPosition
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.cases.finding import cases_column
from consumers.runtime.fate import Fate
from consumers.runtime.service import Handler
from router.contract.event import Event
from router.telemetry.logs import get_log

_USUAL: Final = LedgerOptions()


@dataclass(frozen=True)
class BatchPlan:
    """The effects of a batch: one entry per event, in order, and what changed."""

    entries: Sequence[Entry]
    positions: Sequence[KeptPosition]
    movements: Mapping[tuple[UUID, MovementKey], Fold] = field(default_factory=dict)


class _Progress(Struct, frozen=True):
    """A position within a batch, with what its facts mean."""

    kept: KeptPosition
    assessed: Assessment


_Located = Sequence[tuple[Position, Event]]
_LockPositions = Callable[
    [AsyncConnection, Iterable[Position]], Awaitable[Mapping[UUID, KeptPosition]]
]


def handler_for(topic: str, options: LedgerOptions = _USUAL) -> Handler:
    """Return the ledger's handler, which publishes its outcomes on `topic`."""
    return partial(handle, outcome_topic=topic, counted=frozenset(options.count_claimed))


async def handle(
    transaction: AsyncConnection,
    events: Sequence[Event],
    outcome_topic: str = OUTCOME_TOPIC,
    counted: frozenset[str] = frozenset(),
) -> Sequence[Fate]:
    """Book the change each event makes; return the result of each event, in their order.

    The amounts that the endpoints in `counted` claim need not be seen on chain.

    An event that is already in the journal, or a repeat within the batch,
    changes nothing and is stale.
    """
    if not events:
        return []
    fresh: dict[UUID, Event] = {}
    for event in events:
        fresh.setdefault(event.id, event)
    located = [(new_position(event), event) for event in fresh.values()]
    plan = await _plan(transaction, located, counted)
    await positions.write_movements(transaction, plan.movements)
    posted = await journal.open_transactions(transaction, plan.entries)
    await publish_outcomes(
        transaction, SCHEMA, outcome_topic, [posted_outcome(each) for each in posted]
    )
    await journal.add_postings(transaction, posted)
    _warn(plan.entries)
    outcomes = {entry.event.id: entry.outcome for entry in plan.entries}
    # The second pop of a repeated id finds nothing, as for an event recorded earlier.
    return [outcomes.pop(event.id, Fate.STALE) for event in events]


async def _plan(
    transaction: AsyncConnection, located: _Located, counted: frozenset[str]
) -> BatchPlan:
    """Return the effects of a batch; its events and positions are stored."""
    # Closed only if no statement fails: the runtime has to find a failed one's transaction aborted.
    attempt = await transaction.begin_nested()
    plan = await _stored(transaction, located, counted, positions.lock_stored_positions)
    if plan is not None:
        await attempt.commit()
        return plan
    # Another process has inserted a position since. This releases all locks, so that those of
    # the second attempt are taken in the order of the ids again.
    await attempt.rollback()
    plan = await _stored(transaction, located, counted, positions.lock_positions)
    if plan is None:
        message = "a position has no row although it was inserted"
        raise RuntimeError(message)
    return plan


async def _stored(
    transaction: AsyncConnection,
    located: _Located,
    counted: frozenset[str],
    lock: _LockPositions,
) -> BatchPlan | None:
    """Store the events and positions of a batch; None if another process was first."""
    before = await _load(transaction, located, lock)
    keyed = [(position.id, event) for position, event in located]
    plan = plan_batch(before, keyed, counted)
    added = await journal.record_events(transaction, plan.entries)
    if len(added) < len(keyed):
        new = [(key, event) for key, event in keyed if event.id in added]
        plan = plan_batch(before, new, counted)
    return plan if await positions.write_positions(transaction, plan.positions) else None


async def _load(
    transaction: AsyncConnection, located: _Located, lock: _LockPositions
) -> Mapping[UUID, KeptPosition]:
    kept = await lock(transaction, (position for position, _ in located))
    keys = {(position.id, key) for position, event in located for key in movements_of(event)}
    return positions.with_movements(kept, await positions.load_movements(transaction, keys))


def plan_batch(
    before: Mapping[UUID, KeptPosition],
    located: Iterable[tuple[UUID, Event]],
    counted: frozenset[str] = frozenset(),
) -> BatchPlan:
    """Apply events in order, each to the position whose id comes with it. Pure."""
    now: dict[UUID, _Progress] = {}
    entries = []
    for key, event in located:
        progress = now.get(key) or _started(before[key])
        entry, now[key] = _applied(progress, event, counted)
        entries.append(entry)
    changed = [
        each.kept
        for key, each in now.items()
        if not each.kept.is_stored or each.kept != before[key]
    ]
    movements = {
        (each.position.id, key): fold
        for each in changed
        if each.position.movements
        for key, fold in each.position.movements.items()
        if fold != before[each.position.id].position.movements.get(key)
    }
    return BatchPlan(entries, changed, movements)


def _started(kept: KeptPosition) -> _Progress:
    is_new = kept.position.status is None
    return _Progress(kept, NOTHING if is_new else assess(kept.position))


def _applied(progress: _Progress, event: Event, counted: frozenset[str]) -> tuple[Entry, _Progress]:
    position = progress.kept.position
    after = absorb(position, event)
    assessed = assess(after)
    lines = difference(progress.assessed.amounts, assessed.amounts)
    known = {each.kind for each in progress.assessed.findings}
    opened = [each.kind for each in assessed.findings if each.kind not in known]
    news = (
        after.status != position.status,
        lines,
        assessed.findings != progress.assessed.findings,
        event.recorded is not None and after.totals != position.totals,
    )
    outcome = Fate.APPLIED if any(news) or _has_new_money(position, after) else Fate.STALE
    cases = cases_column(progress.kept.cases, assessed.findings, event.received_at)
    unseen = _unseen(progress, assessed, event, counted)
    kept = KeptPosition(after, unseen, cases, progress.kept.is_stored)
    return Entry(event, outcome, lines, position.id, opened), _Progress(kept, assessed)


def _unseen(
    progress: _Progress, assessed: Assessment, event: Event, counted: frozenset[str]
) -> bool:
    """Return whether what is booked is only claimed, and has to be seen on chain."""
    if not assessed.is_claim:
        return False
    if not event.amount_claimed and progress.assessed.is_claim:
        return progress.kept.claimed
    return event.endpoint not in counted


def _has_new_money(before: Position, after: Position) -> bool:
    """Return whether an event reports a transfer that posts nothing yet."""
    return before.movements.keys() != after.movements.keys() or before.tally != after.tally


def _warn(entries: Iterable[Entry]) -> None:
    log = get_log("ledger")
    for entry in entries:
        for kind in entry.opened:
            event = entry.event
            log.warning(
                log_event(kind),
                event_id=str(event.id),
                type=event.type.value,
                account=event.account,
                provider=event.provider,
                reference=event.reference,
                provider_reference=event.provider_reference,
            )
