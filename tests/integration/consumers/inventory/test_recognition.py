"""Payments are recognized only by the references, ids and addresses of their order."""

from typing import Any

import pytest
from sqlalchemy import select

from consumers.inventory.tables import ORDERS
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop, ordered, paid

Facts = dict[str, Any]

BY_ID: Facts = {"payments": [{"provider": "blockatm", "provider_reference": "P-1"}]}
BY_ADDRESS: Facts = {"payments": [{"address": "0x1"}]}
BY_OTHER: Facts = {"payments": [{"reference": "invoice 7"}]}

WAYS = pytest.mark.parametrize(
    ("expected", "told"),
    [
        (BY_ID, {"reference": None, "provider_reference": "P-1"}),
        (BY_ID, {"reference": "another order", "provider_reference": "P-1"}),
        (BY_ADDRESS, {"reference": None, "to_address": "0x1"}),
        (BY_OTHER, {"reference": "invoice 7"}),
    ],
)


@pytest.fixture
async def tea(shop: Shop) -> Shop:
    """Return a shop with ten teas."""
    await shop.set("tea", 10)
    return shop


@WAYS
async def test_a_payment_after_its_order_is_recognized(
    tea: Shop, expected: Facts, told: Facts
) -> None:
    await tea.each(order(**expected), paid(**told))
    assert await tea.status() == "committed"


@WAYS
async def test_a_payment_before_its_order_is_recognized(
    tea: Shop, expected: Facts, told: Facts
) -> None:
    await tea.each(paid("pending", **told), paid(**told), order(**expected))
    assert await tea.status() == "committed"
    await tea.check_books()


async def test_a_payment_the_order_does_not_name_is_not_recognized(tea: Shop) -> None:
    await tea.each(order(**BY_ID), paid(provider_reference="P-2"), paid(provider="blockbee"))
    assert await tea.status() == "reserved"
    assert await tea.history(trouble=False) == [
        "placed",
        "reserved",
        "payment waiting",
        "payment waiting",
    ]


async def test_a_recognized_payment_no_longer_needs_a_reference(tea: Shop) -> None:
    first = paid("pending", provider_reference="P-1")
    await tea.each(order(), first, paid(provider_reference="P-1", reference=None))
    assert await tea.status() == "committed"


async def test_a_waiting_payment_is_recognized_by_any_earlier_clue(
    tea: Shop,
) -> None:
    told = paid("pending", provider_reference="P-1", reference="A-1")
    await tea.each(told, paid(provider_reference="P-1", reference=None), order())
    assert await tea.status() == "committed"


async def test_a_reference_belongs_to_the_order_that_named_it_first(tea: Shop) -> None:
    await tea.each(order(**BY_OTHER), ordered(2, **BY_OTHER), paid(reference="invoice 7"))
    await tea.each(ordered(3, **BY_OTHER), paid(reference="invoice 7", provider_reference="P-9"))
    assert await tea.statuses() == {"A-1": "committed", "A-2": "reserved", "A-3": "reserved"}
    assert await tea.troubles() == ["recognized elsewhere"] * 2 + ["paid twice"]


async def test_a_payment_belongs_to_the_order_that_named_it_first(tea: Shop) -> None:
    await tea.each(order(**BY_ID), ordered(2, **BY_ID), paid(provider_reference="P-1"))
    assert await tea.statuses() == {"A-1": "committed", "A-2": "reserved"}
    assert await tea.troubles() == ["recognized elsewhere"]


async def test_an_address_passes_to_the_next_order_when_the_earlier_one_is_done(tea: Shop) -> None:
    facts: Facts = {"reference": None, "to_address": "0x1"}
    await tea.each(order(**BY_ADDRESS), ordered(2, **BY_ADDRESS))
    assert await tea.troubles() == ["recognized elsewhere"]
    await tea.each(paid(provider_reference="P-1", **facts), ordered(3, **BY_ADDRESS))
    await tea.apply(paid(provider_reference="P-2", **facts))
    assert await tea.statuses() == {"A-1": "committed", "A-2": "reserved", "A-3": "committed"}


async def test_two_clues_held_by_other_orders_are_both_noted(tea: Shop) -> None:
    both: Facts = {"payments": [{"reference": "invoice 7"}, {"reference": "invoice 8"}]}
    await tea.each(order(**both), ordered(2, **both))
    assert await tea.cases("A-2") == ["recognized-elsewhere"]
    async with tea.engine.connect() as connection:
        (facts,) = await connection.scalars(
            select(ORDERS.c.cases["recognized-elsewhere"]["facts"]["what"].astext).where(
                ORDERS.c.cases.is_not(None)
            )
        )
    assert facts == "reference invoice 7 of order A-1; reference invoice 8 of order A-1"
