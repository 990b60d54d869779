"""Sets the quantity of an article and covers oversold orders from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.inventory.identity import stock_id
from consumers.inventory.report import append_history, append_movements, outcome
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import cover
from consumers.inventory.state.recorded import ChangeCause, RecordedNote, StockMovement
from consumers.inventory.state.review import case_notes, with_stock_reviewed
from consumers.inventory.state.shelf import Move, Stock, apply_move, moves
from consumers.inventory.store import rows
from consumers.inventory.store.listing import read_stock
from consumers.inventory.tables import LINE, SCHEMA
from consumers.runtime.plain.stored import publish_plainly
from consumers.runtime.service import Driver, Play
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.statements import ThroughSqlalchemy

PLAYED = 1_000_000_000
"""Quantity to add of an article when `dev --rate` simulates traffic: more than it ever sells."""


class TooFew(Exception):  # noqa: N818 - reads as the reason
    """The quantity is below what is reserved and sold; the message gives the minimum."""


@dataclass(frozen=True)
class SetResult:
    """An article after its quantity was set, and the oversold orders it now covers."""

    stock: Stock
    covered: Sequence[OrderState]


async def set_stock(
    transaction: AsyncConnection, account: str, sku: str, quantity: int, topic: str
) -> SetResult:
    """Set the quantity of an article, including all that were ever sold.

    Oversold orders are covered first, the oldest before the others. Raises
    TooFew.
    """
    number = stock_id(account, sku)
    oversold = select(LINE.c.order_id).where(LINE.c.stock_id == number, LINE.c.oversold > 0)
    # Orders are locked before stock, as everywhere else.
    ids = (await transaction.scalars(oversold)).all()
    driver = ThroughSqlalchemy(transaction)
    orders = await rows.lock_orders(driver, [], ids)
    (before,) = await rows.lock_stock(driver, [Stock(number, account, sku)], [])
    taken = before.reserved + before.committed
    if quantity < taken:
        message = (
            f"{sku}: {before.committed} sold and {before.reserved} reserved;"
            f" the quantity must be at least {taken}"
        )
        raise TooFew(message)
    now = (await transaction.execute(select(func.now()))).scalar_one()
    return await _set(driver, before, quantity, sorted(orders, key=_age), now, topic)


async def stock_up(engine: AsyncEngine, play: Play, *, topic: str) -> None:
    """Stock the articles of simulated traffic of which nothing is available."""
    async with transaction_of(engine) as transaction:
        for account in play.accounts:
            known = {each.sku: each for each in await read_stock(transaction, account)}
            for sku in sorted(play.articles):
                stock = known.get(sku, Stock(stock_id(account, sku), account, sku))
                if not stock.available:
                    await set_stock(transaction, account, sku, stock.on_hand + PLAYED, topic)


def _age(order: OrderState) -> tuple[bool, datetime | None, UUID]:
    return (order.placed_at is None, order.placed_at, order.id)


async def _set(
    driver: Driver,
    before: Stock,
    quantity: int,
    orders: Sequence[OrderState],
    now: datetime,
    topic: str,
) -> SetResult:
    cause = ChangeCause(uuid4(), "set", is_message=False)
    stock = replace(before, on_hand=quantity)
    made = [StockMovement(cause, None, Move(stock.id), quantity - before.on_hand)]
    noted, covered, outcomes = [], [], []
    for order in orders:
        sold, notes = cover(order, stock)
        for move in moves(order.lines, sold.lines):
            stock = apply_move(stock, move)
            made.append(StockMovement(cause, order.id, move))
            after = with_stock_reviewed(sold, now)
            covered.append(after)
            notes = [*notes, *case_notes(order.cases, after.cases)]
        noted += [RecordedNote(cause, order, None, note) for note in notes]
        outcomes += [outcome(order, note, cause, now) for note in notes if note.outcome]
    await rows.write_stock(driver, [stock])
    await rows.write_orders(driver, covered)
    await rows.write_lines(driver, orders, {each.id: each for each in [*orders, *covered]})
    await append_movements(driver, made)
    await append_history(driver, noted)
    await publish_plainly(driver, SCHEMA, topic, outcomes)
    return SetResult(stock, covered)
