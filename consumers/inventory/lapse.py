"""Applies what the passing of time changes: some gateways never report an unpaid order."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.inventory.policy import Policy
from consumers.inventory.report import report
from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.store import rows
from consumers.inventory.store.storing import ReadRows, store
from consumers.inventory.tables import ORDERS
from consumers.runtime.service import Work
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.statements import ThroughSqlalchemy

AT_ONCE = 200
"""Orders changed per transaction: few, because payments wait while their articles are locked."""


def lapse_work(policy: Policy, topic: str) -> Work:
    """Return the periodic work that releases expired orders and publishes the outcomes."""
    return Work("lapse", policy.sweep_seconds, partial(release_lapsed, policy=policy, topic=topic))


async def release_lapsed(
    engine: AsyncEngine, *, policy: Policy, topic: str, at_once: int = AT_ONCE
) -> bool:
    """Change the orders that are due first; return whether there may be more.

    Skips orders locked by another transaction: a payment for one may be in progress.
    """
    async with transaction_of(engine) as transaction:
        due = await _due(transaction, at_once)
        if due:
            await _pass_time(transaction, due, policy, topic)
    return len(due) == at_once


async def _due(transaction: AsyncConnection, limit: int) -> Sequence[UUID]:
    """Lock the orders that are due, skipping those locked by another transaction."""
    due = (
        select(ORDERS.c.id)
        .where(ORDERS.c.due_at <= func.now())
        .order_by(ORDERS.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await transaction.scalars(due)).all()


async def _pass_time(
    transaction: AsyncConnection, due: Sequence[UUID], policy: Policy, topic: str
) -> None:
    now = (await transaction.execute(select(func.now()))).scalar_one()
    driver = ThroughSqlalchemy(transaction)
    orders = await rows.lock_orders(driver, [], due)
    payments = await rows.payments_of(driver, due, [])
    articles = {line.stock_id for order in orders for line in order.lines}
    stock = await rows.lock_stock(driver, [], articles)
    state = BatchState(policy, now, {}, payments, orders, stock)
    for number in due:
        state.pass_time(number)
    await store(driver, state, ReadRows({}, payments, orders, stock))
    await report(driver, state, topic)
