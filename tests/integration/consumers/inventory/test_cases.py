"""Money that does not fit, or goes back: the cases of an order, and its stock."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from consumers.inventory.handler import InventoryMessage
from consumers.inventory.store.listing import payments_without_order
from consumers.inventory.tables import ORDERS
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop, ordered, paid


@pytest.fixture
async def tea(shop: Shop) -> Shop:
    """Return a shop with ten teas."""
    await shop.set("tea", 10)
    return shop


@pytest.mark.parametrize(
    "end", [paid("refunded"), order("order.cancelled")], ids=lambda end: end.type.value
)
async def test_an_oversold_order_that_wants_nothing_takes_no_new_stock(
    shop: Shop, end: InventoryMessage
) -> None:
    await shop.each(ordered(1), paid(), ordered(2), paid(reference="A-2"), end)
    assert await shop.stock() == {"tea": (0, 0, 0, 2)}
    assert await shop.set("tea", 3) == ["A-2"]
    assert (await shop.statuses())["A-2"] == "committed"
    assert await shop.stock() == {"tea": (3, 0, 2, 0)}
    assert await shop.cases("A-2") == []
    await shop.check_books()


async def test_what_is_missing_is_a_case_until_there_is_stock(shop: Shop) -> None:
    await shop.set("tea", 1)
    await shop.each(order(), paid())
    assert await shop.cases() == ["oversold"]
    await shop.set("tea", 2)
    assert await shop.cases() == []


async def test_a_case_is_a_row_with_its_facts_and_the_moment_it_arose(tea: Shop) -> None:
    await tea.each(order(), paid(amount="29"))
    async with tea.engine.connect() as connection:
        (row,) = (await connection.execute(select(ORDERS).where(ORDERS.c.cases.is_not(None)))).all()
    case = row.cases["paid-too-little"]
    assert case["facts"] == {"total": "30 USDT", "received": "29 USDT"}
    assert datetime.fromisoformat(case["since"]) <= row.updated_at


async def test_a_payment_with_money_is_a_case_while_it_has_no_order(shop: Shop) -> None:
    await shop.each(paid(), paid("pending", reference="A-2"))
    async with shop.engine.connect() as connection:
        found = (await connection.execute(payments_without_order())).all()
    facts = {"status": "confirmed", "amount": "30", "currency": "USDT"}
    assert [(each.reference, each.facts) for each in found] == [("A-1", facts)]
    await shop.apply(order())
    async with shop.engine.connect() as connection:
        assert (await connection.execute(payments_without_order())).all() == []


@pytest.mark.parametrize(
    ("total", "payment"),
    [
        ({}, {"amount": "1", "currency": "BTC"}),
        ({}, {"amount": None}),
        ({"total": None, "currency": None}, {"amount": "1"}),
    ],
)
async def test_an_amount_that_cannot_be_compared_sells_nothing_and_is_a_case(
    tea: Shop, total: dict[str, Any], payment: dict[str, Any]
) -> None:
    await tea.each(order(**total), paid(**payment))
    assert await tea.status() == "reserved"
    assert await tea.cases() == ["cannot-compare"]
    await tea.expire()
    await tea.lapse()
    assert await tea.status() == "reserved"
    hasty = tea.with_policy(hold_seconds=0)
    await tea.expire()
    await hasty.lapse()
    assert await tea.status() == "lapsed"
    assert await tea.cases() == ["cannot-compare"]
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}


async def test_a_refund_leaves_the_stock_with_the_customer(tea: Shop) -> None:
    await tea.each(order(), paid(), paid("refunded"))
    assert await tea.status() == "committed"
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}


async def test_a_refund_returns_the_stock_by_policy(tea: Shop) -> None:
    returning = tea.with_policy(refunded="return")
    await returning.each(order(), paid(), paid("refunded"), paid("refunded"), paid("disputed"))
    assert await tea.status() == "returned"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}
    assert await tea.outcome_names() == ["reserved", "committed", "returned"]
    await tea.check_books()


async def test_only_a_full_refund_of_every_payment_returns_the_stock(tea: Shop) -> None:
    returning = tea.with_policy(refunded="return")
    await returning.each(order(), paid(), paid("refunded", "10"))
    assert await tea.status() == "committed"
    other = {"provider": "blockbee", "provider_reference": "other", "reference": "A-2"}
    await returning.each(ordered(2), paid(reference="A-2"), paid(**other))
    await returning.apply(paid("refunded", **other))
    assert await tea.status("A-2") == "committed"


async def test_a_disputed_payment_is_trouble(tea: Shop) -> None:
    returning = tea.with_policy(refunded="return")
    await returning.each(order(), paid(), paid("disputed"))
    assert await tea.status() == "committed"
    assert await tea.troubles() == ["disputed"]
