"""Reads stock and orders for the commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Null,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    null,
    select,
    true,
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


async def read_stock(connection: AsyncConnection, account: str | None) -> Sequence[Stock]:
    """Return the articles of one merchant, or of all."""
    columns = [STOCK.c[name] for name in Stock.__struct_fields__]
    rows = await connection.execute(
        select(*columns).where(_is(STOCK.c.account, account)).order_by(STOCK.c.account, STOCK.c.sku)
    )
    return [Stock(*row) for row in rows]


async def read_orders(
    connection: AsyncConnection, status: str | None, account: str | None, limit: int
) -> Sequence[ListedOrder]:
    """Return the most recently changed orders and waiting payments, oldest first."""
    nothing: ColumnElement[Any] | Null = null()
    orders = select(
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
    ).where(_is(ORDERS.c.status, status), _is(ORDERS.c.account, account))
    waiting = select(
        PAYMENT.c.id,
        PAYMENT.c.account,
        PAYMENT.c.reference,
        literal(WAITING).label("status"),
        PAYMENT.c.amount,
        PAYMENT.c.currency,
        nothing.label("expires_at"),
        PAYMENT.c.updated_at,
        PAYMENT.c.provider,
        PAYMENT.c.provider_reference,
        PAYMENT.c.status,
    ).where(
        and_(PAYMENT.c.order_id.is_(None), literal(status in {None, WAITING})),
        _is(PAYMENT.c.account, account),
    )
    newest = [
        each.order_by(each.selected_columns.updated_at.desc()).limit(limit)
        for each in (orders, waiting)
    ]
    both = union_all(*newest).subquery()
    rows = await connection.execute(
        select(both).order_by(both.c.updated_at.desc(), both.c.id).limit(limit)
    )
    found = rows.all()
    lines = await _lines(connection, [row.id for row in found])
    return [replace(ListedOrder(*row), lines=lines.get(row.id, {})) for row in reversed(found)]


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


def _is(column: ColumnElement[Any], wanted: str | None) -> ColumnElement[bool]:
    return true() if wanted is None else column == wanted
