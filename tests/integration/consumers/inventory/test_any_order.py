"""Stock adds up even if orders and payments are shuffled, repeated and applied concurrently."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from router.contract.event import Event
from router.contract.order import Order
from tests.parts.inventory.oracle import Oracle
from tests.parts.inventory.shop import Shop
from tests.parts.inventory.stories import LASTING, SKUS, TAKEN_BACK, Told, stories


async def filled(shop: Shop, random: Random) -> dict[str, int]:
    on_hand = {sku: random.randint(5, 40) for sku in SKUS}
    for sku, number in on_hand.items():
        await shop.set(sku, number)
    return on_hand


@pytest.mark.parametrize("seed", range(8))
async def test_batches_give_the_same_result_as_single_messages(shop: Shop, seed: int) -> None:
    random = Random(seed)
    oracle = Oracle(await filled(shop, random))
    told = stories(random, 40, [*LASTING, *TAKEN_BACK])
    while told:
        batch = told[: random.randint(1, 30)]
        del told[: len(batch)]
        await shop.apply(*batch)
        for message in batch:
            oracle.apply(message)
        assert await shop.stock() == oracle.stock()
    assert await shop.statuses() == oracle.status
    assert min(oracle.free(sku) for sku in SKUS) >= 0
    await shop.check_books()


@pytest.mark.parametrize("seed", range(3))
async def test_several_processes_at_once_keep_the_stock_and_miss_no_payment(
    shop: Shop, seed: int
) -> None:
    random = Random(seed)
    await filled(shop, random)
    # Money refunded before its order arrives sells nothing; the order of arrival is random.
    told = stories(random, 60, LASTING)
    queues: list[Told] = [[], [], []]
    for message in told:
        # As on the two topics: payments of an order stay in sequence, and so do its messages.
        number = 0 if isinstance(message, Order) else 1 + int(str(message.reference)[2:]) % 2
        queues[number].append(message)

    async def member(queue: Told) -> None:
        while queue:
            batch = queue[: random.randint(1, 20)]
            del queue[: len(batch)]
            await shop.apply(*batch)

    async def sweeper() -> None:
        for _ in range(10):
            await shop.expire(f"A-{random.randrange(60)}")
            await shop.lapse()

    await asyncio.gather(*map(member, queues), sweeper())
    await shop.check_books()
    statuses = await shop.statuses()
    oracle, full = Oracle(dict.fromkeys(SKUS, 10**6)), Oracle(dict.fromkeys(SKUS, 10**6))
    for message in (m for kind in (Order, Event) for m in told if isinstance(m, kind)):
        if not (isinstance(message, Order) and message.type == "order.cancelled"):
            oracle.apply(message)
        full.apply(message)
    # Every order paid in full is committed or oversold, and no other order is. An order that is
    # also cancelled is sold only if the payment came first.
    sold = {name for name, status in statuses.items() if status in {"committed", "oversold"}}
    cancelled = {str(m.reference) for m in told if m.type == "order.cancelled"}
    assert sold - cancelled == oracle.sold.keys() - cancelled
    assert sold <= oracle.sold.keys()
    cases = {name: await shop.cases(name) for name in statuses}
    models = {name: full.model(name) for name in statuses}
    assert {name: _of_money(kinds) for name, kinds in cases.items()} == {
        name: sorted(model.kinds) for name, model in models.items()
    }


def _of_money(kinds: Sequence[str]) -> list[str]:
    return sorted(set(kinds) - {"oversold"})
