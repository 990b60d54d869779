"""What an order message says, and how it differs from the order placed before. Pure."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from consumers.inventory.identity import stock_id
from consumers.inventory.rules.amounts import money_text
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.shelf import OrderLineState
from router.contract.order import Order


def lines_of(order: OrderState, message: Order) -> tuple[OrderLineState, ...]:
    """Return an order's lines, one per article, none reserved."""
    quantities = Counter[UUID]()
    for line in message.lines or ():
        quantities[stock_id(order.account, line.sku)] += line.quantity
    return tuple(
        OrderLineState(order.id, article, quantities[article]) for article in sorted(quantities)
    )


def repeats(order: OrderState, lines: Sequence[OrderLineState], message: Order) -> bool:
    """Return whether a message has the content of the order placed before."""
    known = {line.stock_id: line.quantity for line in order.lines}
    repeated = {line.stock_id: line.quantity for line in lines}
    return known == repeated and (order.total, order.currency) == (message.total, message.currency)


def content_text(message: Order) -> str:
    """Format an order's total and lines: `75 USDT for tea=5`."""
    total = money_text(message.total, message.currency or "") if message.total is not None else ""
    lines = ", ".join(sorted(f"{line.sku}={line.quantity}" for line in message.lines or ()))
    return f"{total or 'no total'} for {lines or 'nothing'}"


def with_conflict(order: OrderState, kind: str, text: str) -> OrderState:
    """Return the order with something that does not fit it."""
    texts = sorted({*order.conflicts.get(kind, ()), text})
    return replace(order, conflicts={**order.conflicts, kind: texts})
