"""Changes that the database refuses to every role."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.handler import handle
from consumers.ledger.reading.statement import read_books
from tests.parts.ledger.told import told


async def refusal(ledger: AsyncEngine, statement: str) -> str:
    """Run a statement on a ledger with one booked payment and return PostgreSQL's error."""
    async with ledger.begin() as transaction:
        await handle(transaction, [told("payment.confirmed", "100")])
    with pytest.raises(DBAPIError) as refused:
        async with ledger.begin() as transaction:
            await transaction.execute(text(statement))
    async with ledger.connect() as connection:
        books = await read_books(connection)
    assert books.transactions == 1
    assert books.balanced
    return str(refused.value.orig)


CHANGES = {
    "account": "name = name",
    "event": "outcome = 'stale'",
    "transaction": "description = ''",
    "posting": "amount = amount * 2",
}


@pytest.mark.parametrize("table", CHANGES)
async def test_a_row_of_the_journal_cannot_be_updated(ledger: AsyncEngine, table: str) -> None:
    said = await refusal(ledger, f"UPDATE ledger.{table} SET {CHANGES[table]}")
    assert f"ledger.{table} is append-only: UPDATE refused" in said


@pytest.mark.parametrize("table", CHANGES)
async def test_a_row_of_the_journal_cannot_be_deleted(ledger: AsyncEngine, table: str) -> None:
    said = await refusal(ledger, f"DELETE FROM ledger.{table}")
    assert f"ledger.{table} is append-only: DELETE refused" in said


@pytest.mark.parametrize("table", CHANGES)
async def test_the_journal_cannot_be_truncated(ledger: AsyncEngine, table: str) -> None:
    said = await refusal(ledger, f"TRUNCATE ledger.{table} CASCADE")
    assert "is append-only: TRUNCATE refused" in said


async def test_these_tests_run_as_the_owner_of_the_tables(ledger: AsyncEngine) -> None:
    owned = text(
        "SELECT bool_and(tableowner = current_user) FROM pg_tables WHERE schemaname = 'ledger'"
    )
    async with ledger.connect() as connection:
        assert await connection.scalar(owned) is True


@pytest.mark.parametrize("table", CHANGES)
async def test_a_session_in_replica_mode_is_refused_too(ledger: AsyncEngine, table: str) -> None:
    query = text(f"DELETE FROM ledger.{table}")
    async with ledger.begin() as transaction:
        await handle(transaction, [told("payment.confirmed", "100")])
    async with ledger.connect() as connection:
        await connection.execute(text("SET session_replication_role = replica"))
        with pytest.raises(DBAPIError, match="is append-only: DELETE refused"):
            await connection.execute(query)


async def test_an_upsert_cannot_change_the_journal_either(ledger: AsyncEngine) -> None:
    upsert = (
        "INSERT INTO ledger.posting SELECT * FROM ledger.posting "
        "ON CONFLICT (transaction_id, line) DO UPDATE SET amount = 0"
    )
    assert "is append-only: UPDATE refused" in await refusal(ledger, upsert)


def postings(*lines: tuple[str, str]) -> str:
    values = ", ".join(
        f"({number}::smallint, '{currency}', '{amount}'::numeric)"
        for number, (currency, amount) in enumerate(lines, start=10)
    )
    return (
        "INSERT INTO ledger.posting SELECT t.id, p.line, a.id, p.currency, p.amount "
        "FROM ledger.transaction t, (SELECT id FROM ledger.account LIMIT 1) a, "
        f"(VALUES {values}) AS p (line, currency, amount)"
    )


@pytest.mark.parametrize(
    "lines",
    [
        [("USDT", "1")],
        [("USDT", "1"), ("USDT", "-0.999999999999999999")],
        [("USDT", "1"), ("USDC", "-1")],
        [("USDT", "1"), ("USDT", "-1"), ("ETH", "2")],
    ],
)
async def test_postings_that_do_not_sum_to_zero_per_currency_are_refused(
    ledger: AsyncEngine, lines: list[tuple[str, str]]
) -> None:
    assert "is out of balance by" in await refusal(ledger, postings(*lines))


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-Infinity", "0", "1e21", "-1e21", "0.0000000000000000001"]
)
async def test_an_invalid_amount_is_refused(ledger: AsyncEngine, amount: str) -> None:
    assert "posting_amount" in await refusal(ledger, postings(("USDT", amount), ("USDT", "1")))


async def test_a_second_transaction_for_one_event_is_refused(ledger: AsyncEngine) -> None:
    again = (
        "INSERT INTO ledger.transaction (event_id, description, moment, day) "
        "SELECT event_id, 'again', now(), current_date FROM ledger.event"
    )
    assert "transaction_event_id_key" in await refusal(ledger, again)
