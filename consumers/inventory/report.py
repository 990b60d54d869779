"""Records the history of a batch, publishes its outcomes and logs problems for operators."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note
from consumers.inventory.state.recorded import ChangeCause, RecordedNote, StockMovement
from consumers.inventory.store.rows import append, json_text
from consumers.inventory.tables import HISTORY, MOVEMENT, SCHEMA
from consumers.runtime.plain.stored import publish_plainly
from consumers.runtime.service import Driver
from router.contract.outcome import OutcomeFacts, outcome_id
from router.telemetry.logs import get_log

_MOVED: Final = ("reserved", "committed", "oversold", "cause")
_MOVEMENT: Final = ("event_id", "stock_id", "order_id", "on_hand", *_MOVED)
_HISTORY: Final = ("event_id", "ordinal", "order_id", "payment_id", "what", "trouble", "facts")


async def report(driver: Driver, state: BatchState, topic: str) -> None:
    """Store the movements and notes of a batch, publish its outcomes, log its problems."""
    await append_movements(driver, state.movements)
    await append_history(driver, state.notes)
    outcomes = [
        outcome(each.order, each.note, each.cause, state.now)
        for each in state.notes
        if each.order is not None and each.note.outcome is not None
    ]
    await publish_plainly(driver, SCHEMA, topic, outcomes)
    warn(state.notes)


async def append_movements(driver: Driver, movements: Iterable[StockMovement]) -> None:
    """Store movements of stock, in their order."""
    rows = [
        (each.cause.id, each.move.stock_id, each.order_id, each.on_hand, *_moved(each))
        for each in movements
    ]
    await append(driver, MOVEMENT, _MOVEMENT, rows)


def _moved(each: StockMovement) -> tuple[object, ...]:
    move = each.move
    return move.reserved, move.committed, move.oversold, each.cause.word


async def append_history(driver: Driver, notes: Iterable[RecordedNote]) -> None:
    """Store notes, numbered within their event."""
    counts = Counter[UUID]()
    rows = []
    for each in notes:
        cause, order, payment, note = each.cause.id, each.order, each.payment, each.note
        counts[cause] += 1
        about = (order.id if order else None, payment.id if payment else None)
        rows.append((cause, counts[cause], *about, note.what, note.trouble, json_text(note.facts)))
    await append(driver, HISTORY, _HISTORY, rows)


def outcome(order: OrderState, note: Note, cause: ChangeCause, at: datetime) -> OutcomeFacts:
    """Return the outcome event of a note."""
    kind = f"inventory.{note.outcome}"
    return OutcomeFacts(
        id=outcome_id(kind, str(cause.id), str(order.id)),
        type=kind,
        account=order.account,
        reference=order.reference,
        provider=None,
        provider_reference=None,
        event_id=cause.id if cause.is_message else None,
        at=at,
        data=dict(note.facts),
    )


def warn(notes: Iterable[RecordedNote]) -> None:
    """Log notes that an operator should look at."""
    log = get_log("inventory")
    for each in notes:
        if each.note.trouble:
            about = each.order or each.payment
            log.warning(
                each.note.what.replace(" ", "_"),
                event_id=str(each.cause.id),
                account=about.account if about else None,
                reference=about.reference if about else None,
                provider=each.payment.provider if each.payment else None,
                provider_reference=each.payment.provider_reference if each.payment else None,
                oversold=each.note.facts.get("oversold"),
            )
