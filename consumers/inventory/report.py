"""Keep the history of what was done, say it to the platform, warn where a person should look."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.desk import Desk, Moved, Noted
from consumers.inventory.orders import Note, OrderState
from consumers.inventory.rows import append
from consumers.inventory.tables import HISTORY, MOVEMENT, SCHEMA
from consumers.runtime.apply.outcomes import publish_outcomes
from router.contract.outcome import OutcomeEvent, outcome_id
from router.telemetry.logs import get_log


async def report(transaction: AsyncConnection, desk: Desk, topic: str) -> None:
    """Write down what was done at a desk."""
    await append(transaction, MOVEMENT, [movement(each) for each in desk.moved])
    await append(transaction, HISTORY, history(desk.noted))
    outcomes = [
        outcome(each.order, each.note, each.event_id, desk.now)
        for each in desk.noted
        if each.order is not None and each.note.word is not None
    ]
    await publish_outcomes(transaction, SCHEMA, topic, outcomes)
    warn(desk.noted)


def history(noted: Iterable[Noted]) -> Sequence[Mapping[str, object]]:
    """Return notes as rows, numbered within what they came of."""
    counts: Counter[UUID] = Counter()
    rows = []
    for each in noted:
        counts[each.event_id] += 1
        rows.append(
            {
                "event_id": each.event_id,
                "ordinal": counts[each.event_id],
                "order_id": each.order.id if each.order else None,
                "payment_id": each.payment.id if each.payment else None,
                "what": each.note.what,
                "trouble": each.note.trouble,
                "facts": dict(each.note.facts),
            }
        )
    return rows


def outcome(
    order: OrderState, note: Note, cause: UUID, at: datetime, *, of_time: bool = False
) -> OutcomeEvent:
    """Say a note to the platform; `cause` is the event's id, or what stands for it."""
    kind = f"inventory.{note.word}"
    return OutcomeEvent(
        id=outcome_id(kind, str(cause), str(order.id)),
        type=kind,
        account=order.account,
        reference=order.reference,
        event_id=None if of_time else cause,
        at=at,
        data=dict(note.facts),
    )


def warn(noted: Iterable[Noted]) -> None:
    """Log what a person should look at."""
    log = get_log("inventory")
    for each in noted:
        if each.note.trouble:
            about = each.order or each.payment
            log.warning(
                each.note.what.replace(" ", "_"),
                event_id=str(each.event_id),
                account=about.account if about else None,
                reference=about.reference if about else None,
                provider=each.payment.provider if each.payment else None,
                provider_reference=each.payment.provider_reference if each.payment else None,
                oversold=each.note.facts.get("oversold"),
            )


def movement(each: Moved) -> Mapping[str, object]:
    """Return a move as a row."""
    return {
        "event_id": each.event_id,
        "stock_id": each.move.stock_id,
        "order_id": each.order_id,
        "on_hand": 0,
        "reserved": each.move.reserved,
        "committed": each.move.committed,
        "oversold": each.move.oversold,
        "cause": each.cause,
    }
