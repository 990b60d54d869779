"""SQL statements of the inventory, each over all rows of a batch.

Rows are locked in one order: events, clues, payments, orders, stock, each by
id. A transaction that holds a clue sees every payment and order recognized by
it before. A transaction locks the payments and orders it changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnClause, Table, Uuid, func, literal, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import ADDRESS, REFERENCE
from consumers.inventory.orders import OrderState
from consumers.inventory.payments import Payment
from consumers.inventory.shelf import OrderLineState, Stock
from consumers.inventory.tables import CLUE, EVENT, LINE, ORDERS, PAYMENT, STOCK
from consumers.runtime.store.arrays import as_table

_UUIDS = ARRAY(Uuid())


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
    source = as_table([EVENT.c.event_id, EVENT.c.type], sorted(types.items()))
    added = await transaction.execute(
        insert(EVENT)
        .from_select(["event_id", "type"], select(source))
        .on_conflict_do_nothing()
        .returning(EVENT.c.event_id, EVENT.c.applied_at)
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
    await _add(transaction, CLUE, columns, wanted.values())
    columns = [CLUE.c.id, CLUE.c.order_id]
    rows = await _locked(transaction, CLUE, columns, wanted, shared=shared)
    return {row.id: row.order_id for row in rows}


async def waiting_payments(transaction: AsyncConnection, clues: Sequence[Clue]) -> set[UUID]:
    """Return the ids of payments without an order that have one of these locked clues."""
    if not clues:
        return set()
    columns = [CLUE.c[name] for name in ("account", "kind", "text")]
    table = as_table(columns, map(attrgetter("account", "kind", "text"), clues))
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
    await _add(transaction, PAYMENT, columns, made.values())
    rows = await _locked(transaction, PAYMENT, _columns(PAYMENT, Payment), {*made, *ids})
    return [Payment(*row) for row in rows]


async def payments_of(
    transaction: AsyncConnection, orders: Iterable[UUID], excluded: Iterable[UUID]
) -> Sequence[Payment]:
    """Return the payments of locked orders, except `excluded`; the locks keep them unchanged."""
    of_orders = PAYMENT.c.order_id == func.any(literal(list(orders), _UUIDS))
    others = PAYMENT.c.id != func.all(literal(list(excluded), _UUIDS))
    rows = await transaction.execute(select(*_columns(PAYMENT, Payment)).where(of_orders, others))
    return [Payment(*row) for row in rows]


async def lock_orders(
    transaction: AsyncConnection, named: Iterable[OrderState], ids: Iterable[UUID]
) -> Sequence[OrderState]:
    """Lock orders and return them with their lines; insert `named` orders that are missing."""
    made = {order.id: order for order in named}
    await _add(
        transaction, ORDERS, [ORDERS.c.id, ORDERS.c.account, ORDERS.c.reference], made.values()
    )
    wanted = {*made, *ids}
    if not wanted:
        return []
    rows = await _locked(transaction, ORDERS, [ORDERS.c[name] for name in _ORDER], wanted)
    of_order = LINE.c.order_id == func.any(literal(list(wanted), _UUIDS))
    found = await transaction.execute(select(*_columns(LINE, OrderLineState)).where(of_order))
    lines: dict[UUID, list[OrderLineState]] = {}
    for row in found:
        lines.setdefault(row.order_id, []).append(OrderLineState(*row))
    return [replace(OrderState(*row), lines=tuple(lines.get(row.id, ()))) for row in rows]


async def lock_stock(
    transaction: AsyncConnection, named: Iterable[Stock], ids: Iterable[UUID]
) -> Sequence[Stock]:
    """Lock and return articles; insert rows for `named` articles that are missing."""
    made = {article.id: article for article in named}
    await _add(transaction, STOCK, [STOCK.c.id, STOCK.c.account, STOCK.c.sku], made.values())
    rows = await _locked(transaction, STOCK, _columns(STOCK, Stock), {*made, *ids})
    return [Stock(*row) for row in rows]


async def write_stock(transaction: AsyncConnection, stock: Sequence[Stock]) -> None:
    """Store articles. The caller holds the locks of their rows."""
    await _update(transaction, STOCK, _columns(STOCK, Stock), stock)


async def write_orders(transaction: AsyncConnection, orders: Sequence[OrderState]) -> None:
    """Store orders and their lines. The caller holds the locks of the orders."""
    columns = [ORDERS.c[name] for name in _ORDER]
    await _update(transaction, ORDERS, columns, orders, updated_at=func.now())
    lines = [line for order in orders for line in order.lines]
    if lines:
        source = as_table(
            _columns(LINE, OrderLineState), map(_values(_columns(LINE, OrderLineState)), lines)
        )
        adding = insert(LINE).from_select([each.name for each in source.c], select(source))
        now = {name: adding.excluded[name] for name in ("reserved", "committed", "oversold")}
        await transaction.execute(
            adding.on_conflict_do_update(index_elements=["order_id", "stock_id"], set_=now)
        )


async def write_payments(transaction: AsyncConnection, payments: Sequence[Payment]) -> None:
    """Store payments. The caller holds the locks of their rows."""
    columns = _columns(PAYMENT, Payment)
    await _update(transaction, PAYMENT, columns, payments, updated_at=func.now())


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
        source = as_table(columns, (tuple(row.values()) for row in rows))
        await transaction.execute(
            insert(table).from_select([each.name for each in columns], select(source))
        )


_ORDER = [field.name for field in fields(OrderState) if field.name != "lines"]
_OPENED = ("id", "account", "provider", "provider_reference")


def _columns(table: Table, model: type[Any]) -> Sequence[ColumnClause[Any]]:
    return [table.c[field.name] for field in fields(model)]


def _values(columns: Sequence[ColumnClause[Any]]) -> Callable[[object], tuple[object, ...]]:
    return attrgetter(*(each.name for each in columns))


async def _add(
    transaction: AsyncConnection,
    table: Table,
    columns: Sequence[ColumnClause[Any]],
    rows: Iterable[Any],
) -> None:
    ordered = sorted(rows, key=attrgetter("id"))
    if ordered:
        source = as_table(columns, map(_values(columns), ordered))
        await transaction.execute(
            insert(table)
            .from_select([each.name for each in columns], select(source))
            .on_conflict_do_nothing()
        )


async def _locked(
    transaction: AsyncConnection,
    table: Table,
    columns: Sequence[ColumnClause[Any]],
    ids: Iterable[UUID],
    *,
    shared: bool = False,
) -> Sequence[Any]:
    wanted = list(ids)
    if not wanted:
        return []
    rows = await transaction.execute(
        select(*columns)
        .where(table.c.id == func.any(literal(wanted, _UUIDS)))
        .order_by(table.c.id)
        .with_for_update(read=shared)
    )
    return rows.all()


async def _update(
    transaction: AsyncConnection,
    table: Table,
    columns: Sequence[ColumnClause[Any]],
    rows: Sequence[Any],
    **more: Any,  # noqa: ANN401 - any value SQLAlchemy accepts
) -> None:
    if rows:
        source = as_table(columns, map(_values(columns), rows))
        values = {each.name: source.c[each.name] for each in columns if each.name != "id"}
        await transaction.execute(
            update(table).where(table.c.id == source.c.id).values(**values, **more)
        )
