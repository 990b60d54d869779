"""State transitions of an order. Pure.

| status | stock it holds |
|---|---|
| `new` | none: seen for the first time |
| `reserved` | every line, until it is paid, given up or expires |
| `short` | none: there was not enough of some article |
| `committed` | every line, sold |
| `oversold` | sold, but some of the stock is missing |
| `released`, `lapsed`, `cancelled` | none: payment given up, order expired, order called off |
| `returned` | none: paid, and refunded since |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from consumers.inventory.policy import Policy
from consumers.inventory.shelf import (
    OrderLineState,
    Stock,
    commit,
    cover_line,
    release,
    reservable,
    reserve,
)
from router.contract.amounts import amount_text

SOLD = frozenset({"committed", "oversold"})


@dataclass(frozen=True)
class OrderState:
    """An order and its lines; the other fields are the columns of its row."""

    id: UUID
    account: str
    reference: str
    status: str = "new"
    total: Decimal | None = None
    currency: str | None = None
    placed_at: datetime | None = None
    expires_at: datetime | None = None
    lines: tuple[OrderLineState, ...] = ()


@dataclass(frozen=True)
class Note:
    """An entry for the history; `outcome` is the kind of outcome to publish, if any."""

    what: str
    trouble: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None


OrderChange = tuple[OrderState, Sequence[Note]]
"""An order's next state, and the notes about the transition."""

StockOf = Mapping[UUID, Stock]


def place(order: OrderState, stock: StockOf) -> OrderChange:
    """Reserve all lines of a placed order, or mark it short if there is too little stock."""
    placed = Note("placed", facts=_total(order))
    if order.status == "cancelled":
        return order, [replace(placed, facts={**placed.facts, "was": "cancelled before"})]
    if not reservable(stock, order.lines):
        short = Note("short", facts={"missing": _missing(order, stock)}, outcome="short")
        return replace(order, status="short"), [placed, short]
    until = {"until": order.expires_at.isoformat()} if order.expires_at else {}
    reserved = replace(order, status="reserved", lines=reserve(order.lines))
    return reserved, [placed, Note("reserved", facts=until, outcome="reserved")]


def pay(order: OrderState, stock: StockOf, policy: Policy) -> OrderChange:
    """Commit an order that is now paid in full, from any status."""
    if order.status in SOLD or order.placed_at is None:
        return order, []
    late = order.status == "cancelled"
    concern = [Note("paid after cancelled", trouble=True)] if late else []
    if late and policy.paid_after_cancelled == "leave":
        return order, concern
    lines = commit(stock, order.lines)
    oversold = any(line.oversold for line in lines)
    facts = {} if order.status == "reserved" else {"was": order.status}
    if oversold:
        facts["oversold"] = _amounts(
            {stock[line.stock_id].sku: line.oversold for line in lines if line.oversold}
        )
    status = "oversold" if oversold else "committed"
    note = Note(status, trouble=oversold, facts=facts, outcome=status)
    return replace(order, status=status, lines=lines), [note, *concern]


def give_up(order: OrderState, reason: str) -> OrderChange:
    """Release a reserved order whose payments have all ended without money."""
    if order.status != "reserved":
        return order, []
    return _released(order, "released", reason)


def lapse(order: OrderState) -> OrderChange:
    """Release an expired order."""
    return _released(order, "lapsed", "time over")


def cancel(order: OrderState, policy: Policy) -> OrderChange:
    """Cancel an order at the platform's request."""
    cancelled = Note("cancelled")
    if order.status == "cancelled":
        return order, []
    if order.status == "reserved":
        released, notes = _released(order, "cancelled", "order cancelled")
        return released, [cancelled, *notes]
    if order.status not in SOLD:
        return replace(order, status="cancelled"), [cancelled]
    if policy.cancelled_after_paid == "return":
        returned, notes = _returned(order, "cancelled", "order cancelled")
        return returned, [cancelled, *notes]
    return order, [Note("cancelled after paid", trouble=True)]


def refund(order: OrderState, policy: Policy) -> OrderChange:
    """Return the stock of a refunded order, if the policy is to return it."""
    if order.status not in SOLD or policy.refunded == "keep":
        return order, []
    return _returned(order, "returned", "payment refunded")


def cover(order: OrderState, article: Stock) -> OrderChange:
    """Commit newly available stock of an article to an oversold order."""
    lines = tuple(
        cover_line(line, article) if line.stock_id == article.id else line for line in order.lines
    )
    if lines == order.lines:
        return order, []
    if any(line.oversold for line in lines):
        return replace(order, lines=lines), [Note("cover_line in part")]
    note = Note("cover_line", facts={"was": order.status}, outcome="committed")
    return replace(order, status="committed", lines=lines), [note]


def _released(order: OrderState, status: str, reason: str) -> OrderChange:
    note = Note("released", facts={"reason": reason}, outcome="released")
    return replace(order, status=status, lines=release(order.lines)), [note]


def _returned(order: OrderState, status: str, reason: str) -> OrderChange:
    note = Note("returned", facts={"reason": reason}, outcome="returned")
    return replace(order, status=status, lines=release(order.lines)), [note]


def _missing(order: OrderState, stock: StockOf) -> str:
    articles = {line: stock[line.stock_id] for line in order.lines}
    return _amounts(
        {
            article.sku: line.quantity - article.available
            for line, article in articles.items()
            if article.available < line.quantity
        }
    )


def _amounts(by_sku: Mapping[str, int]) -> str:
    return ", ".join(f"{sku}={quantity}" for sku, quantity in sorted(by_sku.items()))


def _total(order: OrderState) -> dict[str, str]:
    if order.total is None:
        return {}
    return {"total": amount_text(order.total), "currency": order.currency or ""}
