"""Reads stock and orders for the commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Null,
    Select,
    Table,
    Text,
    and_,
    cast,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.state.shelf import Stock
from consumers.inventory.tables import LINE, ORDERS, PAYMENT, STOCK
from consumers.runtime.store.arrays import any_of

STATUSES = (
    "waiting",
    "reserved",
    "short",
    "committed",
    "oversold",
    "released",
    "lapsed",
    "cancelled",
    "returned",
)
"""Statuses of listed orders; `waiting` is a payment without a known order."""

WAITING = STATUSES[0]

GRACE: Final = timedelta(minutes=30)
"""How long a payment may have no order before it is a case."""


@dataclass(frozen=True)
class ListedOrder:
    """An order, or a payment that waits for one."""

    id: UUID
    account: str
    reference: str | None
    status: str
    total: Decimal | None
    currency: str | None
    expires_at: datetime | None
    updated_at: datetime
    provider: str | None
    provider_reference: str | None
    payment: str | None
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Its place in the order of listings."""
        return self.updated_at, self.id


@dataclass(frozen=True)
class OrderSelection:
    """Criteria for orders and waiting payments; None matches all.

    `merchants` are those that may be shown. `after` is `place` of the last order of the page
    before.
    """

    status: str | None = None
    account: str | None = None
    reference: str | None = None
    merchants: frozenset[str] | None = None
    after: tuple[datetime, UUID] | None = None
    limit: int = 50


async def read_stock(
    connection: AsyncConnection,
    account: str | None,
    merchants: frozenset[str] | None = None,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> Sequence[Stock]:
    """Return the articles of one merchant, or of all, by merchant and article.

    `after` is merchant and article of the last one of the page before.
    """
    columns = [STOCK.c[name] for name in Stock.__struct_fields__]
    place = tuple_(STOCK.c.account, STOCK.c.sku)
    rows = await connection.execute(
        select(*columns)
        .where(_of(STOCK.c.account, account, merchants))
        .where(true() if after is None else place > after)
        .order_by(STOCK.c.account, STOCK.c.sku)
        .limit(limit)
    )
    return [Stock(*row) for row in rows]


async def read_orders(connection: AsyncConnection, wanted: OrderSelection) -> Sequence[ListedOrder]:
    """Return the most recently changed orders and waiting payments, oldest first."""
    both = union_all(_newest_orders(wanted), _newest_waiting(wanted)).subquery()
    rows = await connection.execute(
        select(both).order_by(both.c.updated_at.desc(), both.c.id.desc()).limit(wanted.limit)
    )
    found = rows.all()
    lines = await _lines(connection, [row.id for row in found])
    return [replace(ListedOrder(*row), lines=lines.get(row.id, {})) for row in reversed(found)]


def _newest_orders(wanted: OrderSelection) -> Select[Any]:
    """Return the newest orders of each status, by the index of statuses.

    An index of the time alone would cost every change of an order.
    """
    status = _statuses() if wanted.status is None else _given(wanted.status)
    nothing: ColumnElement[Any] | Null = null()
    newest = (
        select(
            ORDERS.c.id,
            ORDERS.c.account,
            ORDERS.c.reference,
            ORDERS.c.status,
            ORDERS.c.total,
            ORDERS.c.currency,
            ORDERS.c.expires_at,
            ORDERS.c.updated_at,
            nothing.cast(Text).label("provider"),
            nothing.cast(Text).label("provider_reference"),
            nothing.cast(Text).label("payment"),
        )
        .where(ORDERS.c.status == status.c.status, _matches(ORDERS, wanted))
        .order_by(ORDERS.c.updated_at.desc(), ORDERS.c.id.desc())
        .limit(wanted.limit)
        .correlate(status)
        .lateral("newest")
    )
    return select(newest).select_from(status.join(newest, true()))


def _statuses() -> CTE:
    """Return all statuses that orders have, each found by one search of their index."""
    first = select(func.min(ORDERS.c.status).label("status"))
    known = first.cte("known", recursive=True)
    following = (
        select(func.min(ORDERS.c.status)).where(ORDERS.c.status > known.c.status).scalar_subquery()
    )
    return known.union_all(select(following).where(known.c.status.is_not(None)))


def _given(status: str) -> CTE:
    return select(literal(status).label("status")).cte("known")


def _newest_waiting(wanted: OrderSelection) -> Select[Any]:
    nothing: ColumnElement[Any] | Null = null()
    newest = (
        select(
            PAYMENT.c.id,
            PAYMENT.c.account,
            PAYMENT.c.reference,
            literal(WAITING).label("status"),
            PAYMENT.c.amount,
            PAYMENT.c.currency,
            nothing.cast(DateTime(timezone=True)).label("expires_at"),
            PAYMENT.c.updated_at,
            PAYMENT.c.provider,
            PAYMENT.c.provider_reference,
            PAYMENT.c.status.label("payment"),
        )
        .where(PAYMENT.c.order_id.is_(None), literal(wanted.status in {None, WAITING}))
        .where(_matches(PAYMENT, wanted))
        .order_by(PAYMENT.c.updated_at.desc(), PAYMENT.c.id.desc())
        .limit(wanted.limit)
        .subquery()
    )
    return select(newest)


def _matches(table: Table, wanted: OrderSelection) -> ColumnElement[bool]:
    place = tuple_(table.c.updated_at, table.c.id)
    return and_(
        _of(table.c.account, wanted.account, wanted.merchants),
        _is(table.c.reference, wanted.reference),
        true() if wanted.after is None else place < wanted.after,
    )


def payments_without_order() -> Select[Any]:
    """Return the query of payments with money that have no order, as cases of their kind.

    They are cases once they are older than `GRACE`.
    """
    facts = func.jsonb_build_object(
        *("status", func.coalesce(PAYMENT.c.status, "")),
        *("amount", func.coalesce(cast(PAYMENT.c.amount, Text), "")),
        *("currency", func.coalesce(PAYMENT.c.currency, "")),
        type_=JSONB,
    )
    return select(
        cast(PAYMENT.c.id, Text).label("subject"),
        *(PAYMENT.c[name] for name in ("account", "reference", "provider", "provider_reference")),
        PAYMENT.c.created_at.label("since"),
        facts.label("facts"),
    ).where(PAYMENT.c.order_id.is_(None), PAYMENT.c.has_money)


async def _lines(
    connection: AsyncConnection, orders: Sequence[UUID]
) -> Mapping[UUID, Mapping[str, int]]:
    rows = await connection.execute(
        select(LINE.c.order_id, STOCK.c.sku, LINE.c.quantity)
        .join(STOCK, STOCK.c.id == LINE.c.stock_id)
        .where(any_of(LINE.c.order_id, orders))
        .order_by(LINE.c.order_id, STOCK.c.sku)
    )
    lines: dict[UUID, dict[str, int]] = {}
    for row in rows:
        lines.setdefault(row.order_id, {})[row.sku] = row.quantity
    return lines


def _of(
    column: ColumnElement[Any], account: str | None, merchants: frozenset[str] | None
) -> ColumnElement[bool]:
    allowed = true() if merchants is None else column.in_(sorted(merchants))
    return and_(_is(column, account), allowed)


def _is(column: ColumnElement[Any], wanted: str | None) -> ColumnElement[bool]:
    return true() if wanted is None else column == wanted
