"""An operator's decision about an order. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from router.contract.order import Order


class Verb(StrEnum):
    """Decisions: it counts as paid; it does not; it does not, and its stock comes back."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    RETURN = "return"


@dataclass(frozen=True)
class OrderDecision:
    """A decision, a fact of the order that wins over the comparison of amounts.

    `shown` is the digest of the facts that the operator saw; `saw_cancelled` is whether the order
    was cancelled then. `event_id` is the decision's own id.
    """

    verb: Verb
    at: datetime
    event_id: UUID
    shown: str
    saw_cancelled: bool


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
    verb = Verb(decided.decision.value)
    return OrderDecision(verb, at, order.id, decided.shown, decided.saw_cancelled)


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
    }


def decision_of(column: Mapping[str, Any] | None) -> OrderDecision | None:
    """Return the decision that a column has."""
    if column is None:
        return None
    return OrderDecision(
        Verb(column["verb"]),
        datetime.fromisoformat(column["at"]),
        UUID(column["event_id"]),
        column["shown"],
        column["saw_cancelled"],
    )
