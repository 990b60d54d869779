"""Applies a batch of events to the books, each exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger import journal
from consumers.ledger.book import SCHEMA
from consumers.ledger.concerns import CALLED_OFF_AFTER_PAID, OTHER_CURRENCY
from consumers.ledger.journal import Entry
from consumers.ledger.outcomes import OUTCOME_TOPIC, posted_outcome
from consumers.ledger.position import Position, absorb, has_other_currency, new_position
from consumers.ledger.postings import difference, implied
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.fate import Fate
from consumers.runtime.service import Handler
from router.contract.event import Event
from router.contract.lifecycle import advance, contradicts_paid
from router.telemetry.logs import get_log


@dataclass(frozen=True)
class BatchPlan:
    """The effects of a batch: one entry per event, in order, and the changed positions."""

    entries: Sequence[Entry]
    positions: Sequence[Position]


def handler_for(topic: str) -> Handler:
    """Return the ledger's handler, which publishes its outcomes on `topic`."""
    return partial(handle, outcome_topic=topic)


async def handle(
    transaction: AsyncConnection, events: Sequence[Event], outcome_topic: str = OUTCOME_TOPIC
) -> Sequence[Fate]:
    """Book the change each event makes; return the result of each event, in their order.

    An event that is already in the journal, or a repeat within the batch,
    changes nothing and is stale.
    """
    if not events:
        return []
    fresh: dict[UUID, Event] = {}
    for event in events:
        fresh.setdefault(event.id, event)
    positions = {event.id: new_position(event) for event in fresh.values()}
    before = await journal.lock_positions(transaction, positions.values())
    located = [(positions[event.id].id, event) for event in fresh.values()]
    plan = plan_batch(before, located)
    added = await journal.record_events(transaction, plan.entries)
    if len(added) < len(located):
        plan = plan_batch(before, ((key, event) for key, event in located if event.id in added))
    await journal.write_positions(transaction, plan.positions)
    posted = await journal.open_transactions(transaction, plan.entries)
    await publish_outcomes(
        transaction, SCHEMA, outcome_topic, [posted_outcome(each) for each in posted]
    )
    await journal.add_postings(transaction, posted)
    _warn(plan.entries)
    outcomes = {entry.event.id: entry.outcome for entry in plan.entries}
    # The second pop of a repeated id finds nothing, as for an event recorded earlier.
    return [outcomes.pop(event.id, Fate.STALE) for event in events]


def plan_batch(before: Mapping[UUID, Position], located: Iterable[tuple[UUID, Event]]) -> BatchPlan:
    """Apply events in order, each to the position whose id comes with it. Pure."""
    now = dict(before)
    entries = []
    for key, event in located:
        entry, now[key] = _applied(now[key], event)
        entries.append(entry)
    return BatchPlan(entries, [now[key] for key in now if now[key] != before[key]])


def _applied(position: Position, event: Event) -> tuple[Entry, Position]:
    after = absorb(position, event)
    lines = difference(implied(position), implied(after))
    advanced = advance(position.status, event.type.status) is not None
    outcome = Fate.APPLIED if advanced or lines else Fate.STALE
    return Entry(event, outcome, lines, position.id, _concern(position, event)), after


def _concern(position: Position, event: Event) -> str | None:
    if contradicts_paid(position.status, event.type.status):
        return CALLED_OFF_AFTER_PAID
    if has_other_currency(position, event):
        return OTHER_CURRENCY
    return None


def _warn(entries: Iterable[Entry]) -> None:
    log = get_log("ledger")
    for entry in entries:
        if entry.concern is not None:
            event = entry.event
            log.warning(
                entry.concern,
                event_id=str(event.id),
                type=event.type.value,
                account=event.account,
                provider=event.provider,
                reference=event.reference,
                provider_reference=event.provider_reference,
            )
