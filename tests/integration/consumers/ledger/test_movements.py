"""Transfers with an id are stored one per row; a payment keeps their sums and its cases."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import MOVEMENT, POSITION
from consumers.ledger.facts.position import new_position
from consumers.ledger.reading.verify import verify
from consumers.runtime.fate import Fate
from router.contract.event import Event
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told

CONFIRMED = told("payment.confirmed", "100")


def refund(movement: str, amount: str | None = None, at: int = 0) -> Event:
    part: dict[str, Any] = {} if amount is None else {"movement_amount": amount}
    return told("payment.refunded", movement=movement, at=at, **part)


async def cases(ledger: AsyncEngine) -> Mapping[str, Any] | None:
    async with ledger.connect() as connection:
        found: Mapping[str, Any] | None = await connection.scalar(select(POSITION.c.cases))
    return found


async def test_refunds_with_ids_add_up_over_batches(ledger: AsyncEngine) -> None:
    await applied(ledger, CONFIRMED, refund("r1", "30"))
    await applied(ledger, refund("r2", "30"), refund("r1", "30"))
    await applied(ledger, told("payment.refund_failed", movement="r1"))
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": 70,
        "payments USDT": -100,
        "refunds USDT": 30,
    }


async def test_a_case_opens_with_its_facts_and_closes_with_later_ones(ledger: AsyncEngine) -> None:
    await applied(ledger, refund("r1", "30"))
    opened = await cases(ledger)
    assert opened is not None
    assert opened["out-exceeds-in"]["facts"] == {"USDT": "0 in, 30 out"}
    assert opened["out-exceeds-in"]["since"] == CONFIRMED.received_at.isoformat()
    assert await applied(ledger, CONFIRMED) == [Fate.APPLIED]
    assert await cases(ledger) is None


async def test_a_case_keeps_its_moment_until_its_facts_change(ledger: AsyncEngine) -> None:
    await applied(ledger, refund("r1"))
    first = await cases(ledger)
    assert await applied(ledger, refund("r1", at=5)) == [Fate.STALE]
    assert await cases(ledger) == first
    await applied(ledger, refund("r2", at=5))
    later = await cases(ledger)
    assert first is not None
    assert later is not None
    assert later["amount-unknown"]["since"] > first["amount-unknown"]["since"]


async def test_a_transfer_that_adds_to_no_total_yet_is_not_stale(ledger: AsyncEngine) -> None:
    await applied(ledger, CONFIRMED, told("payment.refunded", "30"))
    assert await applied(ledger, refund("r1", "30")) == [Fate.APPLIED]
    assert (await balances(ledger))["refunds USDT"] == 30


async def test_the_row_of_a_payment_does_not_grow_with_its_transfers(ledger: AsyncEngine) -> None:
    width = select(func.length(cast(POSITION.c.facts, Text)))
    await applied(ledger, told("payment.confirmed", "5000"), refund("r0", "1"))
    async with ledger.connect() as connection:
        before = await connection.scalar(width) or 0
    await applied(ledger, *(refund(f"r{number}", "1") for number in range(1, 1000)))
    async with ledger.connect() as connection:
        assert await connection.scalar(width) == before + len("1000") - len("1")
        assert await connection.scalar(select(func.count()).select_from(MOVEMENT)) == 1000
        assert (await verify(connection)).faults == []
    assert (await balances(ledger))["refunds USDT"] == 1000


async def test_two_processes_with_transfers_of_one_payment_count_each(ledger: AsyncEngine) -> None:
    batches = [[refund(f"r{n}-{each}", "1") for each in range(20)] for n in range(4)]
    await asyncio.gather(*(applied(ledger, *batch) for batch in batches))
    assert (await balances(ledger))["refunds USDT"] == 80
    async with ledger.connect() as connection:
        position = await connection.scalar(select(POSITION.c.id))
    assert position == new_position(CONFIRMED).id
