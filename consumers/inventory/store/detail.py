"""Reads one order in detail: its steps, and what it did to the stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import order_id
from consumers.inventory.tables import HISTORY, MOVEMENT, ORDERS, STOCK

MOST = 200
"""Steps and movements that are returned at most: the newest ones."""


@dataclass(frozen=True)
class OrderStep:
    """A step of an order; `trouble` if an operator should look at it."""

    at: datetime
    what: str
    event_id: UUID
    trouble: bool
    facts: Mapping[str, object]


@dataclass(frozen=True)
class OrderMovement:
    """What an order changed of an article's quantities; `event_id` is that of its cause."""

    at: datetime
    sku: str
    cause: str
    event_id: UUID
    on_hand: int
    reserved: int
    committed: int
    oversold: int


async def known_order(connection: AsyncConnection, account: str, reference: str) -> UUID | None:
    """Return the id of an order, or None if the inventory has none."""
    number = order_id(account, reference)
    return await connection.scalar(select(ORDERS.c.id).where(ORDERS.c.id == number))


async def read_steps(connection: AsyncConnection, number: UUID) -> Sequence[OrderStep]:
    """Return the newest steps of an order, oldest first."""
    columns = (HISTORY.c.at, HISTORY.c.what, HISTORY.c.event_id, HISTORY.c.trouble, HISTORY.c.facts)
    rows = await connection.execute(
        select(*columns)
        .where(HISTORY.c.order_id == number)
        .order_by(HISTORY.c.id.desc())
        .limit(MOST)
    )
    return [OrderStep(*row) for row in rows][::-1]


async def read_movements(connection: AsyncConnection, number: UUID) -> Sequence[OrderMovement]:
    """Return the newest movements of stock of an order, oldest first."""
    of, article = MOVEMENT.c, STOCK.c
    rows = await connection.execute(
        select(
            *(of.at, article.sku, of.cause, of.event_id),
            *(of.on_hand, of.reserved, of.committed, of.oversold),
        )
        .join_from(MOVEMENT, STOCK, article.id == of.stock_id)
        .where(of.order_id == number)
        .order_by(of.id.desc())
        .limit(MOST)
    )
    return [OrderMovement(*row) for row in rows][::-1]
