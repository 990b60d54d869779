"""Prometheus metrics of the inventory: counts of orders and payments, never amounts."""

from collections.abc import Awaitable, Callable

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.tables import HISTORY, ORDERS, PAYMENT
from consumers.runtime.service import Measure

_PAID = ("confirmed", "overpaid")


def _counted(
    table: Table, *where: ColumnElement[bool]
) -> Callable[[AsyncConnection], Awaitable[int]]:
    async def count(connection: AsyncConnection) -> int:
        query = select(func.count()).select_from(table).where(*where)
        return await connection.scalar(query) or 0

    return count


_WAITING = PAYMENT.c.order_id.is_(None)

MEASURES = (
    Measure(
        "payrouter_inventory_orders_reserved",
        "Orders with reserved stock that are not paid yet",
        _counted(ORDERS, ORDERS.c.status == "reserved"),
    ),
    Measure(
        "payrouter_inventory_orders_overdue",
        "Reserved orders that have expired; they are released within seconds",
        _counted(ORDERS, ORDERS.c.status == "reserved", ORDERS.c.expires_at <= func.now()),
    ),
    Measure(
        "payrouter_inventory_orders_short",
        "Orders that could not be reserved because there was too little stock",
        _counted(ORDERS, ORDERS.c.status == "short"),
    ),
    Measure(
        "payrouter_inventory_orders_oversold",
        "Paid orders with missing stock: an operator must act",
        _counted(ORDERS, ORDERS.c.status == "oversold"),
    ),
    Measure(
        "payrouter_inventory_payments_waiting",
        "Payments without a known order",
        _counted(PAYMENT, _WAITING),
    ),
    Measure(
        "payrouter_inventory_paid_payments_waiting",
        "Paid payments without a known order",
        _counted(PAYMENT, _WAITING, PAYMENT.c.status.in_(_PAID)),
    ),
    Measure(
        "payrouter_inventory_troubles",
        "Problems an operator should look at, in total; it only rises",
        _counted(HISTORY, HISTORY.c.trouble),
    ),
)
"""Read from the database at intervals by the runtime."""
