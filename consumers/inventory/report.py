"""Records the history of a batch, publishes its outcomes and logs problems for operators."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note
from consumers.inventory.state.recorded import ChangeCause, RecordedNote, StockMovement
from consumers.inventory.store.rows import append
from consumers.inventory.tables import HISTORY, MOVEMENT, SCHEMA
from consumers.runtime.apply.outcomes import publish_outcomes
from router.contract.outcome import OutcomeEvent, outcome_id
from router.telemetry.logs import get_log


async def report(transaction: AsyncConnection, state: BatchState, topic: str) -> None:
    """Store the movements and notes of a batch, publish its outcomes, log its problems."""
    await append(transaction, MOVEMENT, [movement(each) for each in state.movements])
    await append(transaction, HISTORY, history(state.notes))
    outcomes = [
        outcome(each.order, each.note, each.cause, state.now)
        for each in state.notes
        if each.order is not None and each.note.outcome is not None
    ]
    await publish_outcomes(transaction, SCHEMA, topic, outcomes)
    warn(state.notes)


def history(notes: Iterable[RecordedNote]) -> Sequence[Mapping[str, object]]:
    """Return notes as rows of `history`, numbered within their event."""
    counts = Counter[UUID]()
    rows = []
    for each in notes:
        counts[each.cause.id] += 1
        rows.append(
            {
                "event_id": each.cause.id,
                "ordinal": counts[each.cause.id],
                "order_id": each.order.id if each.order else None,
                "payment_id": each.payment.id if each.payment else None,
                "what": each.note.what,
                "trouble": each.note.trouble,
                "facts": dict(each.note.facts),
            }
        )
    return rows


def outcome(order: OrderState, note: Note, cause: ChangeCause, at: datetime) -> OutcomeEvent:
    """Return the outcome event of a note."""
    kind = f"inventory.{note.outcome}"
    return OutcomeEvent(
        id=outcome_id(kind, str(cause.id), str(order.id)),
        type=kind,
        account=order.account,
        reference=order.reference,
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


def movement(each: StockMovement) -> Mapping[str, object]:
    """Return a movement as a row of `movement`."""
    return {
        "event_id": each.cause.id,
        "stock_id": each.move.stock_id,
        "order_id": each.order_id,
        "on_hand": 0,
        "reserved": each.move.reserved,
        "committed": each.move.committed,
        "oversold": each.move.oversold,
        "cause": each.cause.word,
    }
