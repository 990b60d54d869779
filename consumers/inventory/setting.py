"""Say how much of an article there is, and cover what was oversold of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.inventory import rows
from consumers.inventory.desk import Moved, Noted
from consumers.inventory.identity import stock_id
from consumers.inventory.listing import read_stock
from consumers.inventory.orders import OrderState, cover
from consumers.inventory.report import history, movement, outcome
from consumers.inventory.shelf import Stock, moved, moves
from consumers.inventory.tables import HISTORY, LINE, MOVEMENT, SCHEMA
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.service import Play
from consumers.runtime.store.database import transaction_of

PLAYED = 10_000
"""How many of each article there are in a play."""


class TooFew(Exception):  # noqa: N818 - named for what it is
    """Fewer than are reserved and sold already; the message says how many have to be there."""


@dataclass(frozen=True)
class Set:
    """An article as it is now, and the orders of which something oversold is covered."""

    stock: Stock
    covered: Sequence[OrderState]


async def set_stock(
    transaction: AsyncConnection, account: str, sku: str, quantity: int, topic: str
) -> Set:
    """Set how many there are of an article, those sold since ever included.

    What of it was oversold is covered first, the oldest order before the
    others. Raises TooFew.
    """
    number = stock_id(account, sku)
    oversold = select(LINE.c.order_id).where(LINE.c.stock_id == number, LINE.c.oversold > 0)
    # Orders before stock, as everywhere.
    ids = (await transaction.scalars(oversold)).all()
    orders = await rows.lock_orders(transaction, [], ids)
    (before,) = await rows.lock_stock(transaction, [Stock(number, account, sku)], [])
    taken = before.reserved + before.committed
    if quantity < taken:
        message = (
            f"{sku}: {before.committed} are sold and {before.reserved} reserved of those"
            f" there were, so there have to be at least {taken}"
        )
        raise TooFew(message)
    now = (await transaction.execute(select(func.now()))).scalar_one()
    return await _set(transaction, before, quantity, sorted(orders, key=_age), now, topic)


async def stock_up(engine: AsyncEngine, play: Play, *, topic: str) -> None:
    """Fill the shelves for a play, where there is nothing on them yet."""
    async with transaction_of(engine) as transaction:
        for account in play.accounts:
            known = {each.sku for each in await read_stock(transaction, account) if each.on_hand}
            for sku in sorted(set(play.articles) - known):
                await set_stock(transaction, account, sku, PLAYED, topic)


def _age(order: OrderState) -> tuple[bool, datetime | None, UUID]:
    return (order.placed_at is None, order.placed_at, order.id)


async def _set(
    transaction: AsyncConnection,
    before: Stock,
    quantity: int,
    orders: Sequence[OrderState],
    now: datetime,
    topic: str,
) -> Set:
    cause = uuid4()
    stock = replace(before, on_hand=quantity)
    setting: dict[str, object] = {
        "event_id": cause,
        "stock_id": stock.id,
        "order_id": None,
        "on_hand": quantity - before.on_hand,
        "reserved": 0,
        "committed": 0,
        "oversold": 0,
        "cause": "set",
    }
    made: list[Mapping[str, object]] = [setting]
    noted, covered, outcomes = [], [], []
    for order in orders:
        after, notes = cover(order, stock)
        for move in moves(order.lines, after.lines):
            stock = moved(stock, move)
            made.append(movement(Moved(cause, order.id, "set", move)))
            covered.append(after)
        noted += [Noted(cause, order, None, note) for note in notes]
        outcomes += [outcome(order, n, cause, now, of_time=True) for n in notes if n.word]
    await rows.write_stock(transaction, [stock])
    await rows.write_orders(transaction, covered)
    await rows.append(transaction, MOVEMENT, made)
    await rows.append(transaction, HISTORY, history(noted))
    await publish_outcomes(transaction, SCHEMA, topic, outcomes)
    return Set(stock, covered)
