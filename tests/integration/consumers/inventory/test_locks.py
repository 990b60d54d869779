"""Rows are locked in the order of their ids, so that two processes cannot deadlock."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import select, text

from consumers.inventory.identity import stock_id
from consumers.inventory.state.shelf import Stock
from consumers.inventory.store.rows import lock_stock
from consumers.inventory.tables import STOCK
from consumers.runtime.store.statements import ThroughSqlalchemy
from tests.parts.databases import somebody_waits
from tests.parts.inventory.shop import Shop


def three_descending() -> Sequence[Stock]:
    """Return articles with the highest id first, the reverse of the lock order."""
    articles = [Stock(stock_id("shop-eu", sku), "shop-eu", sku) for sku in ("tea", "mug", "pot")]
    return sorted(articles, key=lambda article: article.id, reverse=True)


@asynccontextmanager
async def waiting_for_the_lowest(shop: Shop, articles: Sequence[Stock]) -> AsyncIterator[None]:
    """Hold the lock of the lowest id while another process waits for all of them."""

    async def all_of_them() -> None:
        async with shop.engine.begin() as transaction:
            await lock_stock(ThroughSqlalchemy(transaction), articles, [])

    async with shop.engine.begin() as holder:
        await lock_stock(ThroughSqlalchemy(holder), articles[-1:], [])
        waiter = asyncio.create_task(all_of_them())
        await somebody_waits(shop.engine)
        yield
    await waiter


async def test_known_rows_are_locked_from_the_lowest_id(shop: Shop) -> None:
    articles = three_descending()
    for article in articles:
        async with shop.engine.begin() as transaction:
            await lock_stock(ThroughSqlalchemy(transaction), [article], [])
    async with waiting_for_the_lowest(shop, articles), shop.engine.connect() as connection:
        free = await connection.scalars(
            select(STOCK.c.id).order_by(STOCK.c.id.desc()).with_for_update(skip_locked=True)
        )
        assert free.all() == [article.id for article in articles[:2]]


async def test_new_rows_are_inserted_from_the_lowest_id(shop: Shop) -> None:
    articles = three_descending()
    async with waiting_for_the_lowest(shop, articles), shop.engine.begin() as transaction:
        await transaction.execute(text("SET LOCAL lock_timeout = '1s'"))
        made = await lock_stock(ThroughSqlalchemy(transaction), articles[:2], [])
        assert {article.id for article in made} == {article.id for article in articles[:2]}
