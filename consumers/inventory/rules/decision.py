"""An operator's decision about an order. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from router.contract.operator import Decision
from router.contract.order import Order


class OrderDecision(Struct, frozen=True):
    """A decision, a fact of the order that wins over the comparison of amounts.

    `shown` is the digest of the facts that the operator saw; `saw_cancelled` is whether the order
    was cancelled then, and `saw_refunded` whether all its money was given back. `event_id` is the
    decision's own id.
    """

    verb: Decision
    at: datetime
    event_id: UUID
    shown: str
    saw_cancelled: bool
    saw_refunded: bool = False
    by: str = ""
    reason: str = ""


def later(known: OrderDecision | None, new: OrderDecision) -> OrderDecision:
    """Return the decision that holds: the later one, in any order of arrival."""
    if known is None:
        return new
    return max(known, new, key=lambda each: (each.at, each.event_id))


def decision_in(order: Order) -> OrderDecision:
    """Return the decision of an `order.decided`; raises ValueError for another message."""
    decided, at = order.decided, order.at
    if decided is None or at is None:
        message = f"{order.type} carries no decision"
        raise ValueError(message)
    return OrderDecision(
        verb=decided.decision,
        at=at,
        event_id=order.id,
        shown=decided.shown,
        saw_cancelled=decided.saw_cancelled,
        saw_refunded=decided.saw_refunded,
        by=decided.by,
        reason=decided.reason,
    )


def decision_column(decision: OrderDecision | None) -> Mapping[str, Any] | None:
    """Return a decision as JSON, the column `decision` of the order's row."""
    if decision is None:
        return None
    return {
        "verb": decision.verb.value,
        "at": decision.at.astimezone(UTC).isoformat(),
        "event_id": str(decision.event_id),
        "shown": decision.shown,
        "saw_cancelled": decision.saw_cancelled,
        "saw_refunded": decision.saw_refunded,
        "by": decision.by,
        "reason": decision.reason,
    }


def decision_of(column: Mapping[str, Any] | None) -> OrderDecision | None:
    """Return the decision that a column has."""
    if column is None:
        return None
    return OrderDecision(
        verb=Decision(column["verb"]),
        at=datetime.fromisoformat(column["at"]),
        event_id=UUID(column["event_id"]),
        shown=column["shown"],
        saw_cancelled=column["saw_cancelled"],
        saw_refunded=column.get("saw_refunded", False),
        by=column.get("by", ""),
        reason=column.get("reason", ""),
    )
