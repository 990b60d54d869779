"""A payment and its order in two concurrent transactions: the second finds the first."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.handler import NotificationHandler
from tests.parts.contract.orders import order
from tests.parts.databases import somebody_waits
from tests.parts.notifications.desk import EMAIL, applied, messages, options, told


@pytest.mark.parametrize("first", ["payment", "order"])
@pytest.mark.parametrize("known", [False, True], ids=["a new order", "a known one"])
async def test_neither_side_can_miss_the_other(
    desk: AsyncEngine, first: str, *, known: bool
) -> None:
    if known:
        await applied(desk, options([]), told("payment.pending"))
    sides = [told("payment.confirmed"), order(customer={"email": EMAIL})]
    if first == "order":
        sides.reverse()
    async with desk.begin() as transaction:
        await NotificationHandler(options())(transaction, sides[:1])
        other = asyncio.create_task(applied(desk, options(), sides[1]))
        await somebody_waits(desk)
    await other
    (row,) = await messages(desk)
    assert (row.address, row.wait_until) == (EMAIL, None)
