"""Transactions on the same accounts do not wait for each other's balances."""

from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger.book import BALANCE, TRANSACTION
from consumers.ledger.dates import day_of, moment_of
from consumers.ledger.handler import handle
from consumers.ledger.reading.statement import read_books
from consumers.ledger.reading.verify import verify
from router.contract.event import Event
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import MOMENT, told

WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


def batch(process: int) -> list[Event]:
    payments = [f"P-{process}-{number}" for number in range(20)]
    return [told("payment.confirmed", "1", payment=payment) for payment in payments]


async def started(stack: AsyncExitStack, url: str) -> AsyncConnection:
    """Open a transaction of another instance, which waits for no lock longer than a second."""
    engine = create_async_engine(url, poolclass=NullPool)
    stack.push_async_callback(engine.dispose)
    connection = await stack.enter_async_context(engine.begin())
    await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    return connection


@pytest.mark.parametrize("instances", [3, 16])
async def test_no_transaction_waits_for_the_balances_of_another(
    ledger: AsyncEngine, ledger_url: str, instances: int
) -> None:
    await applied(ledger, told("payment.confirmed", "1"))
    async with AsyncExitStack() as stack:
        for number in range(instances):
            connection = await started(stack, ledger_url)
            await handle(connection, batch(number))
            async with ledger.connect() as watching:
                assert await watching.scalar(WAITING) == 0
    total = 1 + 20 * instances
    assert await balances(ledger) == {"wallet:Ethereum USDT": total, "payments USDT": -total}
    async with ledger.connect() as connection:
        rows = Counter(await connection.scalars(select(BALANCE.c.shard)))
        assert len(rows) >= instances
        assert set(rows.values()) == {len(("wallet", "payments"))}
        assert (await verify(connection)).faults == []


async def test_the_balance_of_a_day_is_the_sum_of_all_days_through_it(ledger: AsyncEngine) -> None:
    for number in range(3):
        occurred = MOMENT - timedelta(days=number)
        await applied(
            ledger, told("payment.confirmed", "1", payment=f"P-{number}", occurred_at=occurred)
        )
    async with ledger.connect() as connection:
        for days, transactions in ((3, 0), (2, 1), (1, 2), (0, 3)):
            through = MOMENT.date() - timedelta(days=days)
            books = await read_books(connection, through=through)
            assert (books.transactions, books.balanced) == (transactions, True)
            assert sum(each.amount for each in books.balances if each.amount > 0) == transactions
        assert set(await connection.scalars(select(TRANSACTION.c.day))) == {
            MOMENT.date() - timedelta(days=number) for number in range(3)
        }


@pytest.mark.parametrize(
    ("before_receipt", "is_used"),
    [
        (timedelta(0), True),
        (timedelta(days=400), True),
        (timedelta(days=400, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
def test_a_transaction_takes_the_moment_of_its_fact_if_it_is_plausible(
    before_receipt: timedelta, *, is_used: bool
) -> None:
    occurred = MOMENT - before_receipt
    event = told("payment.confirmed", "1", occurred_at=occurred)
    assert moment_of(event) == (occurred if is_used else MOMENT)


def test_the_day_is_that_of_utc() -> None:
    late = datetime.fromisoformat("2026-01-01T23:30:00-02:00")
    assert day_of(late) == date(2026, 1, 2)
    assert day_of(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) == date(2026, 1, 1)
