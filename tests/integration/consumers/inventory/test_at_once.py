"""An order and its payment in two concurrent transactions: neither misses the other."""

import asyncio
from typing import Any

import pytest

from consumers.inventory.handler import InventoryMessage, handle
from router.contract.order import Order
from tests.parts.contract.orders import order
from tests.parts.databases import somebody_waits
from tests.parts.inventory.shop import TOPIC, Shop, ordered, paid

Facts = dict[str, Any]

WAYS = pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({}, {}),
        (
            {"payments": [{"provider": "blockatm", "provider_reference": "P-1"}]},
            {"reference": None, "provider_reference": "P-1"},
        ),
        ({"payments": [{"address": "0x1"}]}, {"reference": None, "to_address": "0x1"}),
    ],
    ids=["reference", "provider_reference", "address"],
)


@WAYS
@pytest.mark.parametrize("known", [None, "P-1", "P-2"], ids=["new", "known", "another_known"])
@pytest.mark.parametrize("order_first", [True, False], ids=["order_first", "payment_first"])
async def test_the_second_transaction_waits_for_the_first_and_sees_it(
    shop: Shop,
    expected: Facts,
    told: Facts,
    *,
    known: str | None,
    order_first: bool,
) -> None:
    await shop.set("tea", 10)
    if known is not None:
        await shop.apply(paid("pending", **{**told, "provider_reference": known}))
    messages: list[InventoryMessage] = [
        order(**expected),
        paid(**{**told, "provider_reference": "P-1"}),
    ]
    first, second = messages if order_first else messages[::-1]
    async with shop.engine.begin() as holder:
        await handle(holder, [first], policy=shop.policy, outcomes=TOPIC)
        waiting = asyncio.create_task(shop.apply(second))
        await somebody_waits(shop.engine)
    await waiting
    assert await shop.status() == "committed"
    assert await shop.stock() == {"tea": (10, 0, 2, 0)}
    await shop.check_books()


async def test_a_payment_with_fewer_facts_than_before_is_not_missed(shop: Shop) -> None:
    """The order finds the payment by its first clue while a later event confirms it."""
    await shop.set("tea", 10)
    await shop.apply(paid("pending", provider_reference="P-1"))
    async with shop.engine.begin() as holder:
        later = paid(provider_reference="P-1", reference=None)
        await handle(holder, [later], policy=shop.policy, outcomes=TOPIC)
        waiting = asyncio.create_task(shop.apply(order()))
        await somebody_waits(shop.engine)
    await waiting
    assert await shop.status() == "committed"


async def test_payments_to_one_address_do_not_wait_for_each_other(shop: Shop) -> None:
    async with shop.engine.begin() as first:
        # The address has a row already, so it is not inserted.
        await shop.apply(paid(reference=None, provider_reference="P-0", to_address="0x1"))
        one = paid(reference=None, provider_reference="P-1", to_address="0x1")
        await handle(first, [one], policy=shop.policy, outcomes=TOPIC)
        async with asyncio.timeout(10):
            await shop.apply(paid(reference=None, provider_reference="P-2", to_address="0x1"))


async def test_the_last_items_go_to_as_many_orders_as_there_are(shop: Shop) -> None:
    await shop.set("tea", 10)
    await asyncio.gather(*(shop.apply(ordered(number)) for number in range(12)))
    statuses = sorted((await shop.statuses()).values())
    assert statuses == ["reserved"] * 5 + ["short"] * 7
    assert await shop.stock() == {"tea": (10, 10, 0, 0)}


def placed(number: int) -> Order:
    """Return an order for one each of two of the three articles."""
    first, second = SKUS[number % 3], SKUS[(number + 1) % 3]
    return ordered(number, lines=[{"sku": sku, "quantity": 1} for sku in (first, second)])


SKUS = ("tea", "mug", "pot")


async def test_batches_in_opposite_orders_do_not_deadlock_and_miss_nothing(shop: Shop) -> None:
    for sku in SKUS:
        await shop.set(sku, 1000)
    there: list[InventoryMessage] = [placed(number) for number in range(120)]
    back: list[InventoryMessage] = [
        paid(reference=f"A-{number}") for number in reversed(range(120))
    ]
    batches = [each[start : start + 60] for each in (there, back) for start in (0, 30, 60)]
    await asyncio.gather(
        *(shop.apply(*batch) for batch in batches),
        *(shop.set("tea", 1000 + extra) for extra in range(3)),
    )
    assert set((await shop.statuses()).values()) == {"committed"}
    stock = await shop.stock()
    assert {sku: numbers[1:] for sku, numbers in stock.items()} == dict.fromkeys(SKUS, (0, 80, 0))
    await shop.check_books()
