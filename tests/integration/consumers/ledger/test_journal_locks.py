"""Rows are locked in the order of their ids, so that two processes cannot deadlock."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import POSITION
from consumers.ledger.facts.position import Position, new_position
from consumers.ledger.handler import handle
from consumers.ledger.writing.positions import lock_positions
from consumers.runtime.fate import Fate
from tests.parts.databases import somebody_waits
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told


def three_descending() -> Sequence[Position]:
    """Return positions with the highest id first, the reverse of the lock order."""
    positions = [
        new_position(told("payment.pending", payment=f"P-{number}")) for number in range(3)
    ]
    return sorted(positions, key=lambda position: position.id, reverse=True)


@asynccontextmanager
async def waiting_for_the_lowest(
    ledger: AsyncEngine, positions: Sequence[Position]
) -> AsyncIterator[None]:
    """Hold the lock of the lowest id while another process waits for all of them."""

    async def all_of_them() -> None:
        async with ledger.begin() as transaction:
            await lock_positions(transaction, positions)

    async with ledger.begin() as holder:
        await lock_positions(holder, positions[-1:])
        waiter = asyncio.create_task(all_of_them())
        await somebody_waits(ledger)
        yield
    await waiter


async def test_known_positions_are_locked_from_the_lowest_id(ledger: AsyncEngine) -> None:
    positions = three_descending()
    for position in positions:
        async with ledger.begin() as transaction:
            await lock_positions(transaction, [position])
    async with waiting_for_the_lowest(ledger, positions), ledger.connect() as connection:
        free = await connection.scalars(
            select(POSITION.c.id).order_by(POSITION.c.id.desc()).with_for_update(skip_locked=True)
        )
        assert free.all() == [position.id for position in positions[:2]]


async def test_new_positions_are_inserted_from_the_lowest_id(ledger: AsyncEngine) -> None:
    positions = three_descending()
    async with waiting_for_the_lowest(ledger, positions), ledger.begin() as transaction:
        await transaction.execute(text("SET LOCAL lock_timeout = '1s'"))
        made = await lock_positions(transaction, positions[:2])
        assert made.keys() == {position.id for position in positions[:2]}


async def test_position_that_another_process_inserts_first_has_the_facts_of_both(
    ledger: AsyncEngine,
) -> None:
    paid = told("payment.confirmed", "100")
    fee = told("payment.confirmed", "100", fee="2", fee_currency="USDT")
    known = told("payment.pending", payment="P-2")
    await applied(ledger, known)
    async with ledger.begin() as holder:
        await handle(holder, [paid])
        confirmed = told("payment.confirmed", "7", payment="P-2")
        waiter = asyncio.create_task(applied(ledger, fee, confirmed))
        await somebody_waits(ledger)
    assert await waiter == [Fate.APPLIED, Fate.APPLIED]
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal(105),
        "payments USDT": Decimal(-107),
        "fees USDT": Decimal(2),
    }
    assert await applied(ledger, paid, fee, confirmed) == [Fate.STALE] * 3
