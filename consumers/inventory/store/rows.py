"""SQL statements of the inventory, each over all rows of a batch.

Rows are locked in one order: events, clues, payments, orders, stock, each by
id. A transaction that holds a clue sees every payment and order recognized by
it before. A transaction locks the payments and orders it changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import Table

from consumers.inventory.identity import ADDRESS, REFERENCE
from consumers.inventory.rules.decision import decision_column, decision_of
from consumers.inventory.rules.stored_facts import facts_column, facts_of
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment, ShownPayment
from consumers.inventory.state.shelf import OrderLineState, Stock
from consumers.inventory.tables import CLUE, EVENT, LINE, ORDERS, PAYMENT, STOCK
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import (
    change,
    columns_of,
    full_name,
    given,
    insertion,
    selection,
)

_EVENT: Final = ("event_id", "type")
_CLUE: Final = ("id", "account", "kind", "text")
_LED: Final = ("id", "order_id")
_NAMED_PAYMENT: Final = ("id", "account", "provider", "provider_reference")
_NAMED_ORDER: Final = ("id", "account", "reference")
_NAMED_STOCK: Final = ("id", "account", "sku")
_STOCK: Final = Stock.__struct_fields__
_QUANTITIES: Final = _STOCK[len(_NAMED_STOCK) :]
_LINE: Final = OrderLineState.__struct_fields__
_ORDER: Final = tuple(name for name in OrderState.__struct_fields__ if name != "lines")
_OF_ORDER: Final = _ORDER[len(_NAMED_ORDER) :]
_PAYMENT: Final = Payment.__struct_fields__
_OF_PAYMENT: Final = _PAYMENT[len(_NAMED_PAYMENT) :]
_SHOWN: Final = ShownPayment.__struct_fields__

_NEW: Final = "ON CONFLICT DO NOTHING"
_BY_ID: Final = "WHERE id = ANY($1::uuid[])"
# In the order of the ids, so that two processes that need the same rows never deadlock.
_LOCKED: Final = f"{_BY_ID} ORDER BY id FOR UPDATE"
_SHARED: Final = f"{_BY_ID} ORDER BY id FOR SHARE"
_AT: Final = ", updated_at = now()"
_TAKEN: Final = (
    "ON CONFLICT (order_id, stock_id) DO UPDATE SET reserved = excluded.reserved,"
    " committed = excluded.committed, oversold = excluded.oversold"
)


class Clue(Struct, frozen=True):
    """A reference or address by which payments are recognized."""

    id: UUID
    account: str
    kind: str
    text: str


async def record_events(driver: Driver, types: Mapping[UUID, str]) -> Mapping[UUID, datetime]:
    """Insert event ids; return the new ones with the time of the transaction."""
    rows = sorted(types.items(), key=lambda item: item[0].int)
    adding = insertion(EVENT, _EVENT, f"{_NEW} RETURNING event_id, applied_at")
    return dict(await driver.fetch(adding, *columns_of(rows)))


async def lock_clues(
    driver: Driver, clues: Iterable[Clue], *, shared: bool
) -> Mapping[UUID, UUID | None]:
    """Lock the rows of clues and return the orders they lead to; insert missing rows.

    Use `shared` if no clue changes: then payments to one address do not wait
    for each other, only for orders that name the address.
    """
    wanted = {clue.id: clue for clue in clues}
    added = await _add_missing(driver, CLUE, _CLUE, wanted)
    known = wanted.keys() - added
    rows = await _lock(driver, CLUE, _LED, known, _SHARED if shared else _LOCKED)
    return {**dict.fromkeys(added), **dict(rows)}


async def waiting_payments(driver: Driver, clues: Sequence[Clue]) -> set[UUID]:
    """Return the ids of payments without an order that have one of these locked clues."""
    if not clues:
        return set()
    queries = " UNION ".join(
        f"SELECT known.id FROM {full_name(PAYMENT)} AS known "  # noqa: S608 - names of columns
        f"JOIN {given(CLUE, _CLUE[1:])} ON known.account = given.account "
        f"AND given.kind = '{kind}' AND known.{column} = given.text WHERE known.order_id IS NULL"
        for kind, column in ((REFERENCE, "reference"), (ADDRESS, "address"))
    )
    rows = await driver.fetch(queries, *columns_of(map(attrgetter(*_CLUE[1:]), clues)))
    return {number for (number,) in rows}


async def lock_payments(
    driver: Driver, named: Iterable[Payment], ids: Iterable[UUID]
) -> Sequence[Payment]:
    """Lock and return payments; insert rows for `named` payments that are missing."""
    made = {payment.id: payment for payment in named}
    added = await _add_missing(driver, PAYMENT, _NAMED_PAYMENT, made)
    rows = await _lock(driver, PAYMENT, _PAYMENT, {*made, *ids} - added)
    return [*(made[number] for number in added), *map(_payment, rows)]


async def payments_of(
    driver: Driver, orders: Iterable[UUID], excluded: Iterable[UUID]
) -> Sequence[Payment]:
    """Return the payments of locked orders, except `excluded`; the locks keep them unchanged."""
    others = "WHERE order_id = ANY($1::uuid[]) AND id <> ALL($2::uuid[])"
    query = selection(PAYMENT, _PAYMENT, others)
    return [_payment(row) for row in await driver.fetch(query, list(orders), list(excluded))]


async def lock_orders(
    driver: Driver, named: Iterable[OrderState], ids: Iterable[UUID]
) -> Sequence[OrderState]:
    """Lock orders and return them with their lines; insert `named` orders that are missing."""
    made = {order.id: order for order in named}
    added = await _add_missing(driver, ORDERS, _NAMED_ORDER, made)
    rows = await _lock(driver, ORDERS, _ORDER, {*made, *ids} - added)
    return [*(made[number] for number in added), *await _with_lines(driver, rows)]


async def orders_by_id(driver: Driver, ids: Collection[UUID]) -> Sequence[OrderState]:
    """Return orders with their lines, without locking them."""
    return await _with_lines(driver, await _lock(driver, ORDERS, _ORDER, ids, _BY_ID))


async def stock_by_id(driver: Driver, ids: Collection[UUID]) -> Sequence[Stock]:
    """Return articles, without locking them."""
    return [Stock(*row) for row in await _lock(driver, STOCK, _STOCK, ids, _BY_ID)]


async def lock_stock(
    driver: Driver, named: Iterable[Stock], ids: Iterable[UUID]
) -> Sequence[Stock]:
    """Lock and return articles; insert rows for `named` articles that are missing."""
    made = {article.id: article for article in named}
    added = await _add_missing(driver, STOCK, _NAMED_STOCK, made)
    rows = await _lock(driver, STOCK, _STOCK, {*made, *ids} - added)
    return [*(made[number] for number in added), *(Stock(*row) for row in rows)]


async def write_stock(driver: Driver, stock: Sequence[Stock]) -> None:
    """Store articles. The caller holds the locks of their rows."""
    if stock:
        rows = map(attrgetter("id", *_QUANTITIES), stock)
        await driver.fetch(change(STOCK, "id", _QUANTITIES), *columns_of(rows))


async def write_orders(driver: Driver, orders: Sequence[OrderState]) -> None:
    """Store orders without their lines. The caller holds the locks of the orders."""
    if orders:
        statement = change(ORDERS, "id", _OF_ORDER, _AT)
        await driver.fetch(statement, *columns_of(map(_order_row, orders)))


async def write_lines(
    driver: Driver, read: Iterable[OrderState], now: Mapping[UUID, OrderState]
) -> None:
    """Store the lines that differ from those read. The caller holds the locks of the orders."""
    pairs = [(order.lines, now[order.id].lines) for order in read]
    changed = [astuple(line) for before, after in pairs if after != before for line in after]
    if changed:
        await driver.fetch(insertion(LINE, _LINE, _TAKEN), *columns_of(changed))


async def write_payments(driver: Driver, payments: Sequence[Payment]) -> None:
    """Store payments. The caller holds the locks of their rows."""
    if payments:
        statement = change(PAYMENT, "id", (*_OF_PAYMENT, *_SHOWN), _AT)
        await driver.fetch(statement, *columns_of(map(_payment_row, payments)))


async def write_clues(driver: Driver, clues: Mapping[UUID, UUID | None]) -> None:
    """Store the orders that clues lead to. The caller holds the locks of the clues."""
    if clues:
        await driver.fetch(change(CLUE, *_LED[:1], _LED[1:]), *columns_of(clues.items()))


async def append(
    driver: Driver, table: Table, names: tuple[str, ...], rows: Sequence[Sequence[object]]
) -> None:
    """Insert rows with these columns into an append-only table, in their order."""
    if rows:
        await driver.fetch(insertion(table, names), *columns_of(rows))


def json_text(value: object) -> str | None:
    """Return JSON as text, as the statements take it; None stays None."""
    return None if value is None else msgspec.json.encode(value).decode()


async def _add_missing(
    driver: Driver, table: Table, names: tuple[str, ...], objects: Mapping[UUID, object]
) -> set[UUID]:
    """Insert those objects, in the order of their ids, of which the table has no row.

    Returns the ids of the new rows, which are locked by that.
    """
    if not objects:
        return set()
    # By the ids as numbers: comparing UUIDs is slow, and the order is the same.
    ordered = [objects[number] for number in sorted(objects, key=attrgetter("int"))]
    adding = insertion(table, names, f"{_NEW} RETURNING id")
    rows = await driver.fetch(adding, *columns_of(map(attrgetter(*names), ordered)))
    return {number for (number,) in rows}


async def _lock(
    driver: Driver,
    table: Table,
    names: tuple[str, ...],
    ids: Iterable[UUID],
    how: str = _LOCKED,
) -> Sequence[Any]:
    wanted = list(ids)
    return await driver.fetch(selection(table, names, how), wanted) if wanted else ()


async def _with_lines(driver: Driver, rows: Sequence[Any]) -> Sequence[OrderState]:
    if not rows:
        return []
    query = selection(LINE, _LINE, "WHERE order_id = ANY($1::uuid[])")
    lines: dict[UUID, list[OrderLineState]] = {}
    for row in await driver.fetch(query, [row[0] for row in rows]):
        lines.setdefault(row[0], []).append(OrderLineState(*row))
    return [_order(row, lines.get(row[0], ())) for row in rows]


def _payment(row: Sequence[Any]) -> Payment:
    *described, facts, order = row
    columns: Sequence[Any] = (*described, facts_of(_json(facts)), order)
    return Payment(*columns)


def _payment_row(payment: Payment) -> tuple[object, ...]:
    facts, shown = json_text(facts_column(payment.facts)), astuple(payment.shown)
    return (payment.id, payment.reference, payment.address, facts, payment.order_id, *shown)


def _order(row: Sequence[Any], lines: Iterable[OrderLineState]) -> OrderState:
    *described, decision, conflicts, cases = row
    known = (decision_of(_json(decision)), _json(conflicts), _json(cases))
    columns: Sequence[Any] = (*described, *known, tuple(lines))
    return OrderState(*columns)


def _order_row(order: OrderState) -> tuple[object, ...]:
    number, _, _, *described, decision, conflicts, cases, _ = astuple(order)
    return (number, *described, *map(json_text, (decision_column(decision), conflicts, cases)))


def _json(text: str | None) -> Any:  # noqa: ANN401 - JSON
    return None if text is None else msgspec.json.decode(text)
