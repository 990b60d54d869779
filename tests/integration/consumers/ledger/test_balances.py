"""Running balances equal the sums of the postings, even with concurrent processes."""

import asyncio
from collections.abc import Mapping

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import BALANCE, JOURNAL_TOTAL, POSTING, TRANSACTION
from consumers.ledger.handler import handle
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told
from tests.parts.ledger.worked_examples import examples

Sums = Mapping[tuple[object, ...], tuple[object, ...]]


async def kept(ledger: AsyncEngine) -> Sums:
    async with ledger.connect() as connection:
        keys = (BALANCE.c.account_id, BALANCE.c.currency, BALANCE.c.day)
        sums = (func.sum(BALANCE.c.amount), func.sum(BALANCE.c.postings))
        rows = await connection.execute(select(*keys, *sums).group_by(*keys))
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}


async def summed(ledger: AsyncEngine) -> Sums:
    keys = (POSTING.c.account_id, POSTING.c.currency, TRANSACTION.c.day)
    query = (
        select(*keys, func.sum(POSTING.c.amount), func.count())
        .join_from(POSTING, TRANSACTION, TRANSACTION.c.id == POSTING.c.transaction_id)
        .group_by(*keys)
    )
    async with ledger.connect() as connection:
        rows = await connection.execute(query)
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}


async def test_balances_are_the_sums_of_the_postings_after_every_batch(
    ledger: AsyncEngine,
) -> None:
    for name, example in examples().items():
        await applied(
            ledger, *(each.model_copy(update={"account": name}) for each in example.events)
        )
        assert await kept(ledger) == await summed(ledger)
    async with ledger.connect() as connection:
        total = await connection.scalar(select(func.sum(JOURNAL_TOTAL.c.postings)))
        postings = await connection.scalar(select(func.count()).select_from(POSTING))
    assert total == postings


async def test_concurrent_postings_to_the_same_accounts_lose_nothing(
    ledger: AsyncEngine,
) -> None:
    async def post(process: int) -> None:
        for batch in range(5):
            payments = [f"P-{process}-{batch}-{n}" for n in range(4)]
            await applied(ledger, *(told("payment.confirmed", "1", payment=p) for p in payments))

    await asyncio.gather(*map(post, range(4)))
    assert await balances(ledger) == {"wallet:Ethereum USDT": 80, "payments USDT": -80}
    assert await kept(ledger) == await summed(ledger)


async def test_a_rollback_changes_no_balance(ledger: AsyncEngine) -> None:
    async with ledger.connect() as connection:
        await handle(connection, [told("payment.confirmed", "100")])
        await connection.rollback()
    assert await kept(ledger) == {}


async def test_a_batch_does_not_read_the_whole_journal_before_its_first_analyze(
    ledger: AsyncEngine,
) -> None:
    counted = text(
        "SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'ledger' AND seq_scan > 0"
    )
    payments = [told("payment.confirmed", "1", payment=f"P-{number}") for number in range(400)]
    async with ledger.begin() as connection:
        await handle(connection, payments)
        read_whole = set(await connection.scalars(counted))
    assert read_whole.isdisjoint({"event", "posting", "transaction"})
