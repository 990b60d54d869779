"""Books a plain batch: the plan of the general handler, written on the driver's connection."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from consumers.ledger.book import SCHEMA
from consumers.ledger.facts.position import Position, movements_of, new_position
from consumers.ledger.handler import BatchPlan, plan_batch
from consumers.ledger.options import LedgerOptions
from consumers.ledger.outcomes import OUTCOME_TOPIC, posted_outcome
from consumers.ledger.plain import journal, positions
from consumers.ledger.writing.positions import KeptPosition, with_movements
from consumers.runtime.fate import Fate
from consumers.runtime.plain.stored import publish_plainly
from consumers.runtime.service import Driver, NotPlain, PlainHandler
from router.contract.event import Event

_USUAL: Final = LedgerOptions()


def plain_handler_for(topic: str, options: LedgerOptions = _USUAL) -> PlainHandler:
    """Return the ledger's handler of plain batches, which publishes its outcomes on `topic`."""
    return partial(handle_plainly, outcome_topic=topic, counted=frozenset(options.count_claimed))


async def handle_plainly(
    driver: Driver,
    events: Sequence[Event],
    outcome_topic: str = OUTCOME_TOPIC,
    counted: frozenset[str] = frozenset(),
) -> Sequence[Fate]:
    """Book the change each event makes, like `consumers.ledger.handler.handle`.

    Leaves the batch to it if an event opens a case. If an event is in the journal already, or
    another process has inserted one of the positions, the database refuses the rows.
    """
    located = [(new_position(event), event) for event in events]
    before = await _load(driver, located)
    plan = plan_batch(before, ((position.id, event) for position, event in located), counted)
    if any(entry.opened for entry in plan.entries):
        message = "an event opens a case"
        raise NotPlain(message)
    await _write(driver, plan, outcome_topic)
    return [entry.outcome for entry in plan.entries]


async def _load(
    driver: Driver, located: Iterable[tuple[Position, Event]]
) -> Mapping[UUID, KeptPosition]:
    wanted = {position.id: position for position, _ in located}
    kept = await positions.lock(driver, wanted)
    keys = {(position.id, key) for position, event in located for key in movements_of(event)}
    return with_movements(kept, await positions.load_movements(driver, keys)) if keys else kept


async def _write(driver: Driver, plan: BatchPlan, outcome_topic: str) -> None:
    """Write the effects in the order of the general handler, so that locks are taken alike."""
    await journal.record(driver, plan.entries)
    await positions.write(driver, plan.positions)
    await positions.write_movements(driver, plan.movements)
    posted = await journal.open_transactions(driver, plan.entries)
    outcomes = [posted_outcome(each) for each in posted]
    await publish_plainly(driver, SCHEMA, outcome_topic, outcomes)
    await journal.post(driver, posted)
