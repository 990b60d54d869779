"""Reservations lapse automatically, in small transactions that skip locked orders."""

import asyncio

from sqlalchemy import select

from consumers.inventory.tables import ORDERS
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop, ordered, paid


async def test_a_reservation_lapses_at_its_expiry_and_not_before(shop: Shop) -> None:
    await shop.set("tea", 10)
    await shop.each(order(), ordered(2))
    await shop.expire("A-1")
    assert await shop.lapse() is False
    assert await shop.statuses() == {"A-1": "lapsed", "A-2": "reserved"}
    assert await shop.stock() == {"tea": (10, 2, 0, 0)}
    assert (await shop.outcomes())[-1] == ("inventory.released", {"reason": "time over"})
    await shop.lapse()
    assert await shop.outcome_names() == ["reserved", "reserved", "released"]
    await shop.check_books()


async def test_the_time_to_live_comes_from_the_order_or_the_policy(shop: Shop) -> None:
    await shop.set("tea", 10)
    usual = shop.with_policy(time_to_live_seconds=100)
    await usual.each(order(time_to_live_seconds=7), ordered(2))
    seconds = select(ORDERS.c.expires_at - ORDERS.c.placed_at).order_by(ORDERS.c.reference)
    async with shop.engine.connect() as connection:
        held = [each.total_seconds() for each in await connection.scalars(seconds)]
    assert held == [7, 100]


async def test_many_orders_lapse_in_small_batches(shop: Shop) -> None:
    await shop.set("tea", 100)
    await shop.apply(*(ordered(number) for number in range(5)))
    await shop.expire()
    assert await shop.lapse(at_once=2) is True
    assert sorted((await shop.statuses()).values()) == ["lapsed"] * 2 + ["reserved"] * 3
    assert await shop.lapse(at_once=2) is True
    assert await shop.lapse(at_once=2) is False
    assert await shop.stock() == {"tea": (100, 0, 0, 0)}
    await shop.check_books()


async def test_a_paid_order_does_not_lapse(shop: Shop) -> None:
    await shop.set("tea", 10)
    await shop.each(order(), paid())
    await shop.expire()
    await shop.lapse()
    assert await shop.status() == "committed"


async def test_a_locked_order_is_skipped(shop: Shop) -> None:
    await shop.set("tea", 10)
    await shop.each(order(), ordered(2))
    await shop.expire()
    async with shop.engine.begin() as holder:
        await holder.execute(
            select(ORDERS.c.id).where(ORDERS.c.reference == "A-1").with_for_update()
        )
        async with asyncio.timeout(10):
            await shop.lapse()
    assert await shop.statuses() == {"A-1": "reserved", "A-2": "lapsed"}


async def test_several_sweepers_and_payments_at_once_release_each_order_once(shop: Shop) -> None:
    await shop.set("tea", 1000)
    numbers = range(60)
    await shop.apply(*(ordered(number) for number in numbers))
    await shop.expire()

    async def sweep() -> None:
        while await shop.lapse(at_once=7):
            pass

    async def pay() -> None:
        for number in range(0, 60, 3):
            await shop.apply(paid(reference=f"A-{number}"))

    async def give_up() -> None:
        await shop.apply(*(paid("expired", None, reference=f"A-{n}") for n in range(1, 60, 3)))

    await asyncio.gather(sweep(), sweep(), pay(), give_up())
    await shop.lapse()
    statuses = await shop.statuses()
    assert [statuses[f"A-{n}"] for n in range(0, 60, 3)] == ["committed"] * 20
    assert {statuses[f"A-{n}"] for n in range(1, 60, 3)} <= {"lapsed", "released"}
    assert {statuses[f"A-{n}"] for n in range(2, 60, 3)} == {"lapsed"}
    assert await shop.stock() == {"tea": (1000, 0, 40, 0)}
    await shop.check_books()
