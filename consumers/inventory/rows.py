"""The inventory's statements: each over all rows of a batch.

Rows are locked in one order: events, clues, payments, orders, stock, each by
id. Who holds a clue sees every payment and order that was recognized by it
before; a payment's row is held by whoever changes it, and so is an order's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnClause, Table, Uuid, func, literal, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import ADDRESS, REFERENCE
from consumers.inventory.orders import OrderState
from consumers.inventory.payments import Payment
from consumers.inventory.shelf import Line, Stock
from consumers.inventory.tables import CLUE, EVENT, LINE, ORDERS, PAYMENT, STOCK
from consumers.runtime.store.arrays import (
    add_missing,
    any_of,
    as_table,
    inserting,
    lock_rows,
    rows_of,
    update_rows,
)


@dataclass(frozen=True)
class Clue:
    """A reference or an address payments may be recognized by, and where it leads."""

    id: UUID
    account: str
    kind: str
    text: str
    order_id: UUID | None = None


async def record_events(
    transaction: AsyncConnection, types: Mapping[UUID, str]
) -> Mapping[UUID, datetime]:
    """Add event ids; return those that were not there yet, with the time of the transaction."""
    adding = inserting(EVENT, [EVENT.c.event_id, EVENT.c.type], sorted(types.items()))
    added = await transaction.execute(
        adding.on_conflict_do_nothing().returning(EVENT.c.event_id, EVENT.c.applied_at)
    )
    return {row.event_id: row.applied_at for row in added}


async def lock_clues(
    transaction: AsyncConnection, clues: Iterable[Clue], *, shared: bool
) -> Mapping[UUID, UUID | None]:
    """Lock the rows of clues, made where missing, and return where they lead.

    `shared` where none of them is changed: payments do not wait for each other
    at an address that all of them are paid to, only for orders that name it.
    """
    wanted = {clue.id: clue for clue in clues}
    columns = [CLUE.c[name] for name in ("id", "account", "kind", "text")]
    await add_missing(transaction, CLUE, columns, wanted.values())
    columns = [CLUE.c.id, CLUE.c.order_id]
    rows = await lock_rows(transaction, CLUE, columns, wanted, shared=shared)
    return {row.id: row.order_id for row in rows}


async def waiting_payments(transaction: AsyncConnection, clues: Sequence[Clue]) -> set[UUID]:
    """Return the ids of payments without an order that told one of these; their rows are held."""
    if not clues:
        return set()
    columns = [CLUE.c[name] for name in ("account", "kind", "text")]
    told = as_table(columns, rows_of(columns, clues))
    queries = [
        select(PAYMENT.c.id)
        .join(
            told,
            (PAYMENT.c.account == told.c.account) & (column == told.c.text) & (told.c.kind == kind),
        )
        .where(PAYMENT.c.order_id.is_(None))
        for kind, column in ((REFERENCE, PAYMENT.c.reference), (ADDRESS, PAYMENT.c.address))
    ]
    return set(await transaction.scalars(union(*queries)))


async def lock_payments(
    transaction: AsyncConnection, opened: Iterable[Payment], ids: Iterable[UUID]
) -> Sequence[Payment]:
    """Lock payments, those opened made where missing, and return what is known of them."""
    made = {payment.id: payment for payment in opened}
    columns = [PAYMENT.c[name] for name in _OPENED]
    await add_missing(transaction, PAYMENT, columns, made.values())
    rows = await lock_rows(transaction, PAYMENT, _columns(PAYMENT, Payment), {*made, *ids})
    return [Payment(*row) for row in rows]


async def payments_of(
    transaction: AsyncConnection, orders: Iterable[UUID], but: Iterable[UUID]
) -> Sequence[Payment]:
    """Return the other payments of orders whose rows are held, so that none of them changes."""
    of_orders = any_of(PAYMENT.c.order_id, orders)
    others = PAYMENT.c.id != func.all(literal(list(but), ARRAY(Uuid())))
    rows = await transaction.execute(select(*_columns(PAYMENT, Payment)).where(of_orders, others))
    return [Payment(*row) for row in rows]


async def lock_orders(
    transaction: AsyncConnection, opened: Iterable[OrderState], ids: Iterable[UUID]
) -> Sequence[OrderState]:
    """Lock orders, those opened made where missing, and return them with their lines."""
    made = {order.id: order for order in opened}
    await add_missing(
        transaction, ORDERS, [ORDERS.c.id, ORDERS.c.account, ORDERS.c.reference], made.values()
    )
    wanted = {*made, *ids}
    if not wanted:
        return []
    rows = await lock_rows(transaction, ORDERS, [ORDERS.c[name] for name in _ORDER], wanted)
    of_order = any_of(LINE.c.order_id, wanted)
    found = await transaction.execute(select(*_columns(LINE, Line)).where(of_order))
    lines: dict[UUID, list[Line]] = {}
    for row in found:
        lines.setdefault(row.order_id, []).append(Line(*row))
    return [replace(OrderState(*row), lines=tuple(lines.get(row.id, ()))) for row in rows]


async def lock_stock(
    transaction: AsyncConnection, opened: Iterable[Stock], ids: Iterable[UUID]
) -> Sequence[Stock]:
    """Lock articles, those opened made where missing, and return what there is of them."""
    made = {article.id: article for article in opened}
    await add_missing(transaction, STOCK, [STOCK.c.id, STOCK.c.account, STOCK.c.sku], made.values())
    rows = await lock_rows(transaction, STOCK, _columns(STOCK, Stock), {*made, *ids})
    return [Stock(*row) for row in rows]


async def write_stock(transaction: AsyncConnection, stock: Sequence[Stock]) -> None:
    """Store articles; their rows are held."""
    await update_rows(transaction, STOCK, _columns(STOCK, Stock), stock)


async def write_orders(transaction: AsyncConnection, orders: Sequence[OrderState]) -> None:
    """Store orders and their lines; their rows are held."""
    columns = [ORDERS.c[name] for name in _ORDER]
    await update_rows(transaction, ORDERS, columns, orders, updated_at=func.now())
    lines = [line for order in orders for line in order.lines]
    if lines:
        adding = inserting(LINE, _columns(LINE, Line), rows_of(_columns(LINE, Line), lines))
        now = {name: adding.excluded[name] for name in ("reserved", "committed", "oversold")}
        await transaction.execute(
            adding.on_conflict_do_update(index_elements=["order_id", "stock_id"], set_=now)
        )


async def write_payments(transaction: AsyncConnection, payments: Sequence[Payment]) -> None:
    """Store payments; their rows are held."""
    columns = _columns(PAYMENT, Payment)
    await update_rows(transaction, PAYMENT, columns, payments, updated_at=func.now())


async def write_clues(transaction: AsyncConnection, clues: Mapping[UUID, UUID | None]) -> None:
    """Store where clues lead; their rows are held."""
    if clues:
        source = as_table([CLUE.c.id, CLUE.c.order_id], clues.items())
        await transaction.execute(
            update(CLUE).where(CLUE.c.id == source.c.id).values(order_id=source.c.order_id)
        )


async def append(
    transaction: AsyncConnection, table: Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """Add rows of the same columns to a history, in their order."""
    if rows:
        columns = [table.c[name] for name in rows[0]]
        values = [tuple(row.values()) for row in rows]
        await transaction.execute(inserting(table, columns, values))


_ORDER = [field.name for field in fields(OrderState) if field.name != "lines"]
_OPENED = ("id", "account", "provider", "provider_reference")


def _columns(table: Table, model: type[Any]) -> Sequence[ColumnClause[Any]]:
    return [table.c[field.name] for field in fields(model)]
