"""SQL statements of the inventory, each over all rows of a batch.

Rows are locked in one order: events, clues, payments, orders, stock, each by
id. A transaction that holds a clue sees every payment and order recognized by
it before. A transaction locks the payments and orders it changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnClause, Table, Uuid, func, literal, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import ADDRESS, REFERENCE
from consumers.inventory.rules.decision import decision_column, decision_of
from consumers.inventory.rules.stored_facts import facts_column, facts_of
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment, ShownPayment
from consumers.inventory.state.shelf import OrderLineState, Stock
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
    """A reference or address by which payments are recognized, and the order it leads to."""

    id: UUID
    account: str
    kind: str
    text: str
    order_id: UUID | None = None


async def record_events(
    transaction: AsyncConnection, types: Mapping[UUID, str]
) -> Mapping[UUID, datetime]:
    """Insert event ids; return the new ones with the time of the transaction."""
    adding = inserting(EVENT, [EVENT.c.event_id, EVENT.c.type], sorted(types.items()))
    added = await transaction.execute(
        adding.on_conflict_do_nothing().returning(EVENT.c.event_id, EVENT.c.applied_at)
    )
    return {row.event_id: row.applied_at for row in added}


async def lock_clues(
    transaction: AsyncConnection, clues: Iterable[Clue], *, shared: bool
) -> Mapping[UUID, UUID | None]:
    """Lock the rows of clues and return the orders they lead to; insert missing rows.

    Use `shared` if no clue changes: then payments to one address do not wait
    for each other, only for orders that name the address.
    """
    wanted = {clue.id: clue for clue in clues}
    columns = [CLUE.c[name] for name in ("id", "account", "kind", "text")]
    await add_missing(transaction, CLUE, columns, wanted.values())
    columns = [CLUE.c.id, CLUE.c.order_id]
    rows = await lock_rows(transaction, CLUE, columns, wanted, shared=shared)
    return {row.id: row.order_id for row in rows}


async def waiting_payments(transaction: AsyncConnection, clues: Sequence[Clue]) -> set[UUID]:
    """Return the ids of payments without an order that have one of these locked clues."""
    if not clues:
        return set()
    columns = [CLUE.c[name] for name in ("account", "kind", "text")]
    table = as_table(columns, rows_of(columns, clues))
    queries = [
        select(PAYMENT.c.id)
        .join(
            table,
            (PAYMENT.c.account == table.c.account)
            & (column == table.c.text)
            & (table.c.kind == kind),
        )
        .where(PAYMENT.c.order_id.is_(None))
        for kind, column in ((REFERENCE, PAYMENT.c.reference), (ADDRESS, PAYMENT.c.address))
    ]
    return set(await transaction.scalars(union(*queries)))


async def lock_payments(
    transaction: AsyncConnection, named: Iterable[Payment], ids: Iterable[UUID]
) -> Sequence[Payment]:
    """Lock and return payments; insert rows for `named` payments that are missing."""
    made = {payment.id: payment for payment in named}
    columns = [PAYMENT.c[name] for name in _OPENED]
    await add_missing(transaction, PAYMENT, columns, made.values())
    rows = await lock_rows(transaction, PAYMENT, _PAYMENT, {*made, *ids})
    return [_payment(row) for row in rows]


async def payments_of(
    transaction: AsyncConnection, orders: Iterable[UUID], excluded: Iterable[UUID]
) -> Sequence[Payment]:
    """Return the payments of locked orders, except `excluded`; the locks keep them unchanged."""
    of_orders = any_of(PAYMENT.c.order_id, orders)
    others = PAYMENT.c.id != func.all(literal(list(excluded), ARRAY(Uuid())))
    rows = await transaction.execute(select(*_PAYMENT).where(of_orders, others))
    return [_payment(row) for row in rows]


async def lock_orders(
    transaction: AsyncConnection, named: Iterable[OrderState], ids: Iterable[UUID]
) -> Sequence[OrderState]:
    """Lock orders and return them with their lines; insert `named` orders that are missing."""
    made = {order.id: order for order in named}
    await add_missing(
        transaction, ORDERS, [ORDERS.c.id, ORDERS.c.account, ORDERS.c.reference], made.values()
    )
    wanted = {*made, *ids}
    if not wanted:
        return []
    rows = await lock_rows(transaction, ORDERS, _ORDER, wanted)
    return await _with_lines(transaction, rows)


async def orders_by_id(connection: AsyncConnection, ids: Collection[UUID]) -> Sequence[OrderState]:
    """Return orders with their lines, without locking them."""
    rows = await connection.execute(select(*_ORDER).where(any_of(ORDERS.c.id, ids)))
    return await _with_lines(connection, rows.all())


async def stock_by_id(connection: AsyncConnection, ids: Collection[UUID]) -> Sequence[Stock]:
    """Return articles, without locking them."""
    rows = await connection.execute(select(*_columns(STOCK, Stock)).where(any_of(STOCK.c.id, ids)))
    return [Stock(*row) for row in rows]


async def _with_lines(connection: AsyncConnection, rows: Sequence[Any]) -> Sequence[OrderState]:
    of_order = any_of(LINE.c.order_id, [row.id for row in rows])
    found = await connection.execute(select(*_columns(LINE, OrderLineState)).where(of_order))
    lines: dict[UUID, list[OrderLineState]] = {}
    for row in found:
        lines.setdefault(row.order_id, []).append(OrderLineState(*row))
    return [_order(row, lines.get(row.id, ())) for row in rows]


async def lock_stock(
    transaction: AsyncConnection, named: Iterable[Stock], ids: Iterable[UUID]
) -> Sequence[Stock]:
    """Lock and return articles; insert rows for `named` articles that are missing."""
    made = {article.id: article for article in named}
    await add_missing(transaction, STOCK, [STOCK.c.id, STOCK.c.account, STOCK.c.sku], made.values())
    rows = await lock_rows(transaction, STOCK, _columns(STOCK, Stock), {*made, *ids})
    return [Stock(*row) for row in rows]


async def write_stock(transaction: AsyncConnection, stock: Sequence[Stock]) -> None:
    """Store articles. The caller holds the locks of their rows."""
    await update_rows(transaction, STOCK, _columns(STOCK, Stock), stock)


async def write_orders(transaction: AsyncConnection, orders: Sequence[OrderState]) -> None:
    """Store orders and their lines. The caller holds the locks of the orders."""
    stored = [_stored(each, decision=decision_column(each.decision)) for each in orders]
    await update_rows(transaction, ORDERS, _ORDER, stored, updated_at=func.now())
    lines = [line for order in orders for line in order.lines]
    if lines:
        of_lines = _columns(LINE, OrderLineState)
        adding = inserting(LINE, of_lines, rows_of(of_lines, lines))
        now = {name: adding.excluded[name] for name in ("reserved", "committed", "oversold")}
        await transaction.execute(
            adding.on_conflict_do_update(index_elements=["order_id", "stock_id"], set_=now)
        )


async def write_payments(transaction: AsyncConnection, payments: Sequence[Payment]) -> None:
    """Store payments. The caller holds the locks of their rows."""
    stored = [
        _stored(each, facts=facts_column(each.facts), **vars(each.shown)) for each in payments
    ]
    columns = [*_PAYMENT, *(PAYMENT.c[field.name] for field in fields(ShownPayment))]
    await update_rows(transaction, PAYMENT, columns, stored, updated_at=func.now())


async def write_clues(transaction: AsyncConnection, clues: Mapping[UUID, UUID | None]) -> None:
    """Store the orders that clues lead to. The caller holds the locks of the clues."""
    if clues:
        source = as_table([CLUE.c.id, CLUE.c.order_id], clues.items())
        await transaction.execute(
            update(CLUE).where(CLUE.c.id == source.c.id).values(order_id=source.c.order_id)
        )


async def append(
    transaction: AsyncConnection, table: Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert rows with the same columns into an append-only table, in their order."""
    if rows:
        columns = [table.c[name] for name in rows[0]]
        values = [tuple(row.values()) for row in rows]
        await transaction.execute(inserting(table, columns, values))


_ORDER = [ORDERS.c[field.name] for field in fields(OrderState) if field.name != "lines"]
_PAYMENT = [PAYMENT.c[field.name] for field in fields(Payment)]
_OPENED = ("id", "account", "provider", "provider_reference")


def _stored(row: Payment | OrderState, **columns: object) -> SimpleNamespace:
    """Return a row's columns; `columns` are those that the row has in another form."""
    return SimpleNamespace(**{**vars(row), **columns})


def _payment(row: Any) -> Payment:  # noqa: ANN401 - a row
    payment = Payment(*row)
    return replace(payment, facts=facts_of(row.facts))


def _order(row: Any, lines: Iterable[OrderLineState]) -> OrderState:  # noqa: ANN401 - a row
    return replace(OrderState(*row), decision=decision_of(row.decision), lines=tuple(lines))


def _columns(table: Table, model: type[Any]) -> Sequence[ColumnClause[Any]]:
    return [table.c[field.name] for field in fields(model)]
