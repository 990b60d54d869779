"""What the inventory tells Prometheus: counts of orders and payments, never amounts."""

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
        "Orders whose stock is reserved and not paid yet",
        _counted(ORDERS, ORDERS.c.status == "reserved"),
    ),
    Measure(
        "payrouter_inventory_orders_overdue",
        "Reserved orders whose time is over; they are released within seconds",
        _counted(ORDERS, ORDERS.c.status == "reserved", ORDERS.c.expires_at <= func.now()),
    ),
    Measure(
        "payrouter_inventory_orders_short",
        "Orders for which there was too little stock",
        _counted(ORDERS, ORDERS.c.status == "short"),
    ),
    Measure(
        "payrouter_inventory_orders_oversold",
        "Orders that are paid and for which the stock is missing: somebody has to act",
        _counted(ORDERS, ORDERS.c.status == "oversold"),
    ),
    Measure(
        "payrouter_inventory_payments_waiting",
        "Payments for which no order is known",
        _counted(PAYMENT, _WAITING),
    ),
    Measure(
        "payrouter_inventory_paid_payments_waiting",
        "Payments with money for which no order is known",
        _counted(PAYMENT, _WAITING, PAYMENT.c.status.in_(_PAID)),
    ),
    Measure(
        "payrouter_inventory_troubles",
        "What a person should look at, ever; it only rises",
        _counted(HISTORY, HISTORY.c.trouble),
    ),
)
"""Read from the store from time to time by the runtime."""
