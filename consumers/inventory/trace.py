"""The inventory's part of `payrouter trace`: the history of an order and its payments."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, true, union
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import order_id
from consumers.inventory.tables import HISTORY, ORDERS, PAYMENT
from consumers.runtime.store.arrays import any_of
from consumers.runtime.trail import TrailQuery, TrailStep

MAX_STEPS = 1000
"""Maximum number of steps returned: the newest ones."""


async def steps_of(connection: AsyncConnection, sought: TrailQuery) -> Sequence[TrailStep]:
    """Return the history of the orders and payments that match the search."""
    history = HISTORY.alias("seen")
    text, known = sought.text, [order_id(*order) for order in sought.orders]
    of_event = any_of(history.c.event_id, sought.event_ids)
    of_events = select(history.c.payment_id).where(of_event, history.c.payment_id.is_not(None))
    by_payment = or_(PAYMENT.c.provider_reference == text, PAYMENT.c.id.in_(of_events))
    orders = union(
        select(ORDERS.c.id).where(ORDERS.c.reference == text),
        select(ORDERS.c.id).where(any_of(ORDERS.c.id, known)),
        select(PAYMENT.c.order_id).where(by_payment, PAYMENT.c.order_id.is_not(None)),
        select(history.c.order_id).where(of_event, history.c.order_id.is_not(None)),
    )
    payments = union(
        select(PAYMENT.c.id).where(by_payment),
        select(PAYMENT.c.id).where(PAYMENT.c.order_id.in_(orders)),
    )
    steps = union(
        select(HISTORY.c.id).where(HISTORY.c.order_id.in_(orders)),
        select(HISTORY.c.id).where(HISTORY.c.payment_id.in_(payments)),
    )
    account = func.coalesce(ORDERS.c.account, PAYMENT.c.account)
    wanted = true() if sought.accounts is None else account == func.any(sorted(sought.accounts))
    rows = await connection.execute(
        select(
            HISTORY,
            account.label("account"),
            func.coalesce(ORDERS.c.reference, PAYMENT.c.reference).label("reference"),
        )
        .join_from(HISTORY, ORDERS, ORDERS.c.id == HISTORY.c.order_id, isouter=True)
        .join(PAYMENT, PAYMENT.c.id == HISTORY.c.payment_id, isouter=True)
        .where(HISTORY.c.id.in_(steps), wanted)
        .order_by(HISTORY.c.id.desc())
        .limit(MAX_STEPS)
    )
    return [
        TrailStep(
            at=row.at,
            what=row.what,
            event_id=row.event_id,
            order=(row.account, row.reference) if row.reference else None,
            facts=row.facts,
            trouble=row.trouble,
            account=row.account,
        )
        for row in reversed(rows.all())
    ]
