"""An order as the store has it, with its lines. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct, field

from consumers.inventory.rules.decision import OrderDecision
from consumers.inventory.state.shelf import OrderLineState
from consumers.runtime.cases.finding import CasesColumn

SOLD = frozenset({"committed", "oversold"})


class OrderState(Struct, frozen=True):
    """An order and its lines; the other fields are the columns of its row.

    `expires_at` is the end of its time to live; `due_at` is when the passing of time changes it
    next. `conflicts` has what does not fit the order, by the kind of case.
    """

    id: UUID
    account: str
    reference: str
    status: str = "new"
    total: Decimal | None = None
    currency: str | None = None
    placed_at: datetime | None = None
    expires_at: datetime | None = None
    cancelled_at: datetime | None = None
    due_at: datetime | None = None
    decision: OrderDecision | None = None
    conflicts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cases: CasesColumn | None = None
    lines: tuple[OrderLineState, ...] = ()
