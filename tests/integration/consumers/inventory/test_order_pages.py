"""Pages of orders and stock: together they are the whole list, whatever is selected."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.store.detail import known_order, read_movements, read_steps
from consumers.inventory.store.listing import (
    ListedOrder,
    OrderSelection,
    read_orders,
    read_stock,
)
from tests.parts.inventory.shop import Shop, ordered, paid

SELECTIONS = {
    "everything": OrderSelection(),
    "a status": OrderSelection(status="committed"),
    "waiting": OrderSelection(status="waiting"),
    "no such status": OrderSelection(status="lost"),
    "a merchant": OrderSelection(account="shop-us"),
    "allowed merchants": OrderSelection(merchants=frozenset({"shop-us", "shop-zz"})),
    "no merchant": OrderSelection(merchants=frozenset()),
    "an order": OrderSelection(reference="A-3"),
    "a waiting payment": OrderSelection(reference="W-1"),
}


async def fill(shop: Shop) -> None:
    """Create orders of two merchants in several states, and payments that wait for an order."""
    accounts = ("shop-eu", "shop-us")
    for account in accounts:
        await shop.set("tea", 5, account=account)
    lines = [{"sku": "tea", "quantity": 1}]
    # In one transaction, so that many rows have the same time.
    await shop.apply(*(ordered(n, lines=lines, account=accounts[n % 2]) for n in range(16)))
    await shop.each(*(paid(reference=f"A-{n}", account=accounts[n % 2]) for n in range(0, 16, 3)))
    waiting = [paid(reference=f"W-{n}", account=accounts[n % 2]) for n in range(4)]
    await shop.each(*waiting)


async def pages(
    connection: AsyncConnection, wanted: OrderSelection, size: int
) -> Sequence[ListedOrder]:
    """Return the orders of all pages, newest first."""
    found: list[ListedOrder] = []
    after = None
    while page := await read_orders(connection, replace(wanted, limit=size, after=after)):
        assert after is None or page[-1].place < after
        found += page[::-1]
        after = page[0].place
    return found


def is_wanted(each: ListedOrder, wanted: OrderSelection) -> bool:
    """Return whether an order belongs to a selection, in the plainest way."""
    return (
        wanted.status in {None, each.status}
        and wanted.account in {None, each.account}
        and wanted.reference in {None, each.reference}
        and (wanted.merchants is None or each.account in wanted.merchants)
    )


@pytest.mark.parametrize("name", SELECTIONS)
async def test_pages_of_any_size_are_the_selection(shop: Shop, name: str) -> None:
    await fill(shop)
    wanted = SELECTIONS[name]
    async with shop.engine.connect() as connection:
        every = await read_orders(connection, OrderSelection(limit=1000))
        assert len({each.status for each in every}) >= 4
        assert len(every) == 20
        expected = [each for each in reversed(every) if is_wanted(each, wanted)]
        for size in (1, 3, 50):
            assert await pages(connection, wanted, size) == expected


async def test_pages_of_stock_are_the_stock(shop: Shop) -> None:
    for number in range(7):
        await shop.set(f"tea-{number}", number, account=f"shop-{number % 3}")
    async with shop.engine.connect() as connection:
        every = await read_stock(connection, None)
        found: list[object] = []
        after = None
        while page := await read_stock(connection, None, None, after, 2):
            found += page
            after = (page[-1].account, page[-1].sku)
        allowed = await read_stock(connection, None, frozenset({"shop-1"}))
    assert found == every
    assert [each.sku for each in allowed] == ["tea-1", "tea-4"]


async def test_an_order_has_its_steps_and_movements(shop: Shop) -> None:
    await shop.set("tea", 5)
    await shop.each(ordered(1), paid())
    async with shop.engine.connect() as connection:
        number = await known_order(connection, "shop-eu", "A-1")
        assert number is not None
        steps = await read_steps(connection, number)
        movements = await read_movements(connection, number)
        assert await known_order(connection, "shop-us", "A-1") is None
    assert [each.what for each in steps][-1] == "committed"
    assert {each.sku for each in movements} == {"tea"}
    assert sum(each.committed for each in movements) > 0
    assert sum(each.reserved for each in movements) == 0
