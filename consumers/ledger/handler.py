"""Apply a batch of events to the books, exactly once each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger import journal
from consumers.ledger.book import SCHEMA
from consumers.ledger.concerns import CALLED_OFF_AFTER_PAID, OTHER_CURRENCY
from consumers.ledger.journal import Entry
from consumers.ledger.position import Position, absorb, opened, speaks_other_currency
from consumers.ledger.postings import difference, implied
from consumers.ledger.said import OUTCOME_TOPIC, outcome_of
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.fate import Fate
from consumers.runtime.service import Handler
from router.contract.event import Event
from router.contract.lifecycle import advance, contradicts_paid
from router.telemetry.logs import get_log


@dataclass(frozen=True)
class Plan:
    """What a batch does: its events in order, and the positions that change."""

    entries: Sequence[Entry]
    positions: Sequence[Position]


def saying_on(topic: str) -> Handler:
    """Return the ledger's handler, with the topic of its outcomes as the broker names it."""
    return partial(handle, outcome_topic=topic)


async def handle(
    transaction: AsyncConnection, events: Sequence[Event], outcome_topic: str = OUTCOME_TOPIC
) -> Sequence[Fate]:
    """Book what each event changes and say what became of it, in the order of the events.

    An event the journal has already, or a repeat within the batch, changes
    nothing and is stale.
    """
    if not events:
        return []
    fresh: dict[UUID, Event] = {}
    for event in events:
        fresh.setdefault(event.id, event)
    positions = {event.id: opened(event) for event in fresh.values()}
    before = await journal.lock_positions(transaction, positions.values())
    located = [(positions[event.id].id, event) for event in fresh.values()]
    plan = draw_up(before, located)
    added = await journal.record_events(transaction, plan.entries)
    if len(added) < len(located):
        plan = draw_up(before, ((key, event) for key, event in located if event.id in added))
    await journal.write_positions(transaction, plan.positions)
    posted = await journal.open_transactions(transaction, plan.entries)
    await publish_outcomes(
        transaction, SCHEMA, outcome_topic, [outcome_of(each) for each in posted]
    )
    await journal.add_postings(transaction, posted)
    _warn(plan.entries)
    outcomes = {entry.event.id: entry.outcome for entry in plan.entries}
    # A repeat finds its id gone, like an event the journal had before.
    return [outcomes.pop(event.id, Fate.STALE) for event in events]


def draw_up(before: Mapping[UUID, Position], located: Iterable[tuple[UUID, Event]]) -> Plan:
    """Work out what events do, one after the other, each to the position named with it. Pure."""
    now = dict(before)
    entries = []
    for key, event in located:
        entry, now[key] = _applied(now[key], event)
        entries.append(entry)
    return Plan(entries, [now[key] for key in now if now[key] != before[key]])


def _applied(position: Position, event: Event) -> tuple[Entry, Position]:
    after = absorb(position, event)
    lines = difference(implied(position), implied(after))
    advanced = advance(position.status, event.type.status) is not None
    outcome = Fate.APPLIED if advanced or lines else Fate.STALE
    return Entry(event, outcome, lines, position.id, _concern(position, event)), after


def _concern(position: Position, event: Event) -> str | None:
    if contradicts_paid(position.status, event.type.status):
        return CALLED_OFF_AFTER_PAID
    if speaks_other_currency(position, event):
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
