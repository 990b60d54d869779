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

A sold order keeps its stock if it wants nothing more, unless a policy or an operator returns it.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from consumers.inventory.rules.wants import Want, Wish
from consumers.inventory.state.order_state import SOLD, OrderState
from consumers.inventory.state.shelf import (
    Stock,
    commit,
    cover_line,
    drop_oversold,
    is_sold_whole,
    release,
    reservable,
    reserve,
)


class Note(Struct, frozen=True):
    """An entry for the history; `outcome` is the kind of outcome to publish, if any."""

    what: str
    trouble: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None


OrderChange = tuple[OrderState, Sequence[Note]]
"""An order's next state, and the notes about the transition."""

StockOf = Mapping[UUID, Stock]

_CAN_RESERVE = frozenset({"new", "released", "lapsed", "returned"})


def follow(order: OrderState, wish: Wish, stock: StockOf) -> OrderChange:
    """Give a placed order what it wants, as far as there is stock."""
    if wish.want is Want.GOODS:
        return _sell(order, stock)
    if wish.want is Want.RESERVATION:
        return _reserve(order, stock)
    return _give_up(order, wish)


def _reserve(order: OrderState, stock: StockOf) -> OrderChange:
    """Reserve all lines, or mark the order short if there is too little stock."""
    if order.status not in _CAN_RESERVE:
        return order, []
    if not reservable(stock, order.lines):
        short = Note("short", facts={"missing": _missing(order, stock)}, outcome="short")
        return replace(order, status="short"), [short]
    until = {"until": order.expires_at.isoformat()} if order.expires_at else {}
    reserved = replace(order, status="reserved", lines=reserve(order.lines))
    return reserved, [Note("reserved", facts=until, outcome="reserved")]


def _sell(order: OrderState, stock: StockOf) -> OrderChange:
    """Commit all lines, from any status."""
    if order.status in SOLD and is_sold_whole(order.lines):
        return order, []
    lines = commit(stock, order.lines)
    oversold = any(line.oversold for line in lines)
    facts = {} if order.status == "reserved" else {"was": order.status}
    if oversold:
        facts["oversold"] = _quantities(
            {stock[line.stock_id].sku: line.oversold for line in lines if line.oversold}
        )
    status = "oversold" if oversold else "committed"
    note = Note(status, trouble=oversold, facts=facts, outcome=status)
    return replace(order, status=status, lines=lines), [note]


def _give_up(order: OrderState, wish: Wish) -> OrderChange:
    """Release what an order has reserved; of a sold order drop what it still waits for."""
    if order.status in SOLD:
        return _returned(order, wish) if wish.returns else _wants_no_more(order, wish)
    if order.status == "reserved":
        note = Note("released", facts={"reason": wish.reason}, outcome="released")
        return replace(order, status=wish.status, lines=release(order.lines)), [note]
    if wish.status == "cancelled":
        return replace(order, status="cancelled"), []
    return order, []


def _returned(order: OrderState, wish: Wish) -> OrderChange:
    status = "cancelled" if wish.status == "cancelled" else "returned"
    note = Note("returned", facts={"reason": wish.reason}, outcome="returned")
    return replace(order, status=status, lines=release(order.lines)), [note]


def _wants_no_more(order: OrderState, wish: Wish) -> OrderChange:
    """Keep what was sold, so that the next stock goes to other orders."""
    lines = drop_oversold(order.lines)
    if lines == order.lines:
        return order, []
    if not any(line.committed for line in lines):
        return _returned(order, wish)
    note = Note("wants no more", facts={"reason": wish.reason})
    return replace(order, status="committed", lines=lines), [note]


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


def _missing(order: OrderState, stock: StockOf) -> str:
    articles = {line: stock[line.stock_id] for line in order.lines}
    return _quantities(
        {
            article.sku: line.quantity - article.available
            for line, article in articles.items()
            if article.available < line.quantity
        }
    )


def _quantities(by_sku: Mapping[str, int]) -> str:
    return ", ".join(f"{sku}={quantity}" for sku, quantity in sorted(by_sku.items()))
