"""Releases expired reservations, because some gateways never report an unpaid order."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.inventory import rows
from consumers.inventory.batch_state import RecordedNote, StockMovement
from consumers.inventory.identity import lapse_id
from consumers.inventory.orders import OrderState, lapse
from consumers.inventory.report import history, movement, outcome
from consumers.inventory.shelf import apply_move, moves
from consumers.inventory.tables import HISTORY, MOVEMENT, ORDERS, SCHEMA
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.service import Work
from consumers.runtime.store.database import transaction_of

AT_ONCE = 200
"""Orders released per transaction: few, because payments wait while their articles are locked."""


def lapse_work(every_seconds: float, topic: str) -> Work:
    """Return the periodic work that releases expired orders and publishes the outcomes."""
    return Work("lapse", every_seconds, partial(release_lapsed, topic=topic))


async def release_lapsed(engine: AsyncEngine, *, topic: str, at_once: int = AT_ONCE) -> bool:
    """Release the reservations that expired first; return whether there may be more.

    Skips orders locked by another transaction: a payment for one may be in progress.
    """
    async with transaction_of(engine) as transaction:
        orders = await _lapsed(transaction, at_once)
        if orders:
            await _release(transaction, orders, topic)
    return len(orders) == at_once


async def _lapsed(transaction: AsyncConnection, limit: int) -> Sequence[OrderState]:
    """Lock expired reserved orders, skipping those locked by another transaction."""
    due = (
        select(ORDERS.c.id)
        .where(ORDERS.c.status == "reserved", ORDERS.c.expires_at <= func.now())
        .order_by(ORDERS.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await transaction.scalars(due)).all()
    return await rows.lock_orders(transaction, [], ids)


async def _release(transaction: AsyncConnection, orders: Sequence[OrderState], topic: str) -> None:
    now = (await transaction.execute(select(func.now()))).scalar_one()
    articles = {line.stock_id for order in orders for line in order.lines}
    stock = {each.id: each for each in await rows.lock_stock(transaction, [], articles)}
    released, made, noted, outcomes = [], [], [], []
    for order in orders:
        cause = lapse_id(order.id)
        after, notes = lapse(order)
        released.append(after)
        for move in moves(order.lines, after.lines):
            stock[move.stock_id] = apply_move(stock[move.stock_id], move)
            made.append(movement(StockMovement(cause, order.id, "lapse", move)))
        noted += [RecordedNote(cause, order, None, note) for note in notes]
        outcomes += [outcome(order, note, cause, now, without_event=True) for note in notes]
    await rows.write_stock(transaction, list(stock.values()))
    await rows.write_orders(transaction, released)
    await rows.append(transaction, MOVEMENT, made)
    await rows.append(transaction, HISTORY, history(noted))
    await publish_outcomes(transaction, SCHEMA, topic, outcomes)
