"""What becomes of an order: from its status and what happened, to the next. Pure.

| status | holds of the stock |
|---|---|
| `new` | nothing: seen for the first time |
| `reserved` | every line, until it is paid, given up or lapses |
| `short` | nothing: there was not enough of some article |
| `committed` | every line, sold |
| `oversold` | sold, but not all of it was there |
| `released`, `lapsed`, `cancelled` | nothing: payment given up, time over, called off |
| `returned` | nothing: paid, and given back since |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from consumers.inventory.policy import Policy
from consumers.inventory.shelf import (
    Line,
    Stock,
    commit,
    covered,
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
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Note:
    """One thing done, for the history; `word` is the outcome that says so to the platform."""

    what: str
    trouble: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    word: str | None = None


Change = tuple[OrderState, Sequence[Note]]
"""An order after what happened, and what there is to say about it."""

StockOf = Mapping[UUID, Stock]


def place(order: OrderState, stock: StockOf) -> Change:
    """Reserve a placed order whole, or say that there is too little."""
    placed = Note("placed", facts=_total(order))
    if order.status == "cancelled":
        return order, [replace(placed, facts={**placed.facts, "was": "cancelled before"})]
    if not reservable(stock, order.lines):
        short = Note("short", facts={"missing": _missing(order, stock)}, word="short")
        return replace(order, status="short"), [placed, short]
    until = {"until": order.expires_at.isoformat()} if order.expires_at else {}
    reserved = replace(order, status="reserved", lines=reserve(order.lines))
    return reserved, [placed, Note("reserved", facts=until, word="reserved")]


def pay(order: OrderState, stock: StockOf, policy: Policy) -> Change:
    """Commit an order whose payments suffice now, from wherever it was."""
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
    note = Note(status, trouble=oversold, facts=facts, word=status)
    return replace(order, status=status, lines=lines), [note, *concern]


def give_up(order: OrderState, reason: str) -> Change:
    """Release an order none of whose payments will come."""
    if order.status != "reserved":
        return order, []
    return _released(order, "released", reason)


def lapse(order: OrderState) -> Change:
    """Release an order whose time is over."""
    return _released(order, "lapsed", "time over")


def cancel(order: OrderState, policy: Policy) -> Change:
    """Call an order off, as the platform says."""
    said = Note("cancelled")
    if order.status == "cancelled":
        return order, []
    if order.status == "reserved":
        released, notes = _released(order, "cancelled", "order cancelled")
        return released, [said, *notes]
    if order.status not in SOLD:
        return replace(order, status="cancelled"), [said]
    if policy.cancelled_after_paid == "return":
        returned, notes = _returned(order, "cancelled", "order cancelled")
        return returned, [said, *notes]
    return order, [Note("cancelled after paid", trouble=True)]


def refund(order: OrderState, policy: Policy) -> Change:
    """Give the stock back of an order whose money was taken back, where it is to be so."""
    if order.status not in SOLD or policy.refunded == "keep":
        return order, []
    return _returned(order, "returned", "payment refunded")


def cover(order: OrderState, article: Stock) -> Change:
    """Sell to an order what there is now of an article that it was oversold."""
    lines = tuple(
        covered(line, article) if line.stock_id == article.id else line for line in order.lines
    )
    if lines == order.lines:
        return order, []
    if any(line.oversold for line in lines):
        return replace(order, lines=lines), [Note("covered in part")]
    note = Note("covered", facts={"was": order.status}, word="committed")
    return replace(order, status="committed", lines=lines), [note]


def _released(order: OrderState, status: str, reason: str) -> Change:
    note = Note("released", facts={"reason": reason}, word="released")
    return replace(order, status=status, lines=release(order.lines)), [note]


def _returned(order: OrderState, status: str, reason: str) -> Change:
    note = Note("returned", facts={"reason": reason}, word="returned")
    return replace(order, status=status, lines=release(order.lines)), [note]


def _missing(order: OrderState, stock: StockOf) -> str:
    there = {line: stock[line.stock_id] for line in order.lines}
    return _amounts(
        {
            article.sku: line.quantity - article.available
            for line, article in there.items()
            if article.available < line.quantity
        }
    )


def _amounts(by_sku: Mapping[str, int]) -> str:
    return ", ".join(f"{sku}={quantity}" for sku, quantity in sorted(by_sku.items()))


def _total(order: OrderState) -> dict[str, str]:
    if order.total is None:
        return {}
    return {"total": amount_text(order.total), "currency": order.currency or ""}
