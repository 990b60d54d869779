"""Running balances equal the sums of the postings, even with concurrent processes."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.book import BALANCE, JOURNAL_TOTAL, POSTING
from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.handler import handle
from consumers.ledger.position import new_position
from consumers.ledger.service import SERVICE
from consumers.ledger.verify import verify
from consumers.runtime.migrations.environment import ATTRIBUTE, Target
from consumers.runtime.store.migrate import upgrade
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told
from tests.parts.ledger.worked_examples import examples

Sums = Mapping[tuple[object, str], tuple[Decimal, int]]


async def kept(ledger: AsyncEngine) -> Sums:
    async with ledger.connect() as connection:
        rows = await connection.execute(select(BALANCE))
        return {(row.account_id, row.currency): (row.amount, row.postings) for row in rows}


async def summed(ledger: AsyncEngine) -> Sums:
    query = select(
        POSTING.c.account_id,
        POSTING.c.currency,
        func.sum(POSTING.c.amount).label("amount"),
        func.count().label("postings"),
    ).group_by(POSTING.c.account_id, POSTING.c.currency)
    async with ledger.connect() as connection:
        rows = await connection.execute(query)
        return {(row.account_id, row.currency): (row.amount, row.postings) for row in rows}


async def test_balances_are_the_sums_of_the_postings_after_every_batch(
    ledger: AsyncEngine,
) -> None:
    for name, example in examples().items():
        await applied(
            ledger, *(each.model_copy(update={"account": name}) for each in example.events)
        )
        assert await kept(ledger) == await summed(ledger)
    async with ledger.connect() as connection:
        total = (await connection.execute(select(JOURNAL_TOTAL))).one()
        postings = await connection.scalar(select(func.count()).select_from(POSTING))
    assert total.postings == postings


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


OLD_ACCOUNTS = [
    LedgerAccount("shop-eu", "blockatm", Purpose.WALLET, "Ethereum"),
    LedgerAccount("shop-eu", "blockatm", Purpose.PAYMENTS),
]


async def test_books_from_before_running_balances_are_migrated_completely(
    database_url: str,
) -> None:
    engine = create_async_engine(database_url)
    event = told("payment.confirmed", "100", tx_hash="0xabc")
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE SCHEMA ledger"))
            await connection.run_sync(_first_version)
            await connection.execute(
                text(
                    "INSERT INTO ledger.event VALUES (:id, 'payment.confirmed', 'shop-eu',"
                    " 'blockatm', :reference, 'P-1', 100, 'USDT', now(), now(), 'applied', :body)"
                ),
                {"id": event.id, "reference": event.reference, "body": event.model_dump_json()},
            )
            await connection.execute(
                text(
                    "INSERT INTO ledger.position (id, account, provider, family, reference,"
                    " provider_reference, status, rank, network, currency, total) VALUES (:id,"
                    " 'shop-eu', 'blockatm', 'payment', :reference, 'P-1', 'confirmed', 2,"
                    " 'Ethereum', 'USDT', 100)"
                ),
                {"id": new_position(event).id, "reference": event.reference},
            )
            await connection.execute(
                text("INSERT INTO ledger.transaction (event_id, description) VALUES (:id, '')"),
                {"id": event.id},
            )
            for account in OLD_ACCOUNTS:
                await connection.execute(
                    text(
                        "INSERT INTO ledger.account VALUES"
                        " (:id, :name, 'shop-eu', 'blockatm', :purpose, :network)"
                    ),
                    {
                        "id": account.id,
                        "name": account.name,
                        "purpose": account.purpose.value,
                        "network": account.network,
                    },
                )
            await connection.execute(
                text(
                    "INSERT INTO ledger.posting SELECT 1, n, id, 'USDT', sign * 100 FROM"
                    " (VALUES (1, 'wallet', 1), (2, 'payments', -1)) AS line (n, purpose, sign)"
                    " JOIN ledger.account USING (purpose)"
                )
            )
        assert "ledger 0002" in await upgrade(engine, SERVICE)
        assert await kept(engine) == await summed(engine) != {}
        async with engine.connect() as connection:
            assert (await verify(connection)).faults == []
            row = (await connection.execute(text("SELECT * FROM ledger.event"))).one()
        assert (row.tx_hash, row.position_id) == ("0xabc", new_position(event).id)
        await applied(engine, told("payment.overpaid", "120"))
        assert await balances(engine) == {"wallet:Ethereum USDT": 120, "payments USDT": -120}
    finally:
        await engine.dispose()


def _first_version(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "consumers.ledger:migrations")
    config.attributes[ATTRIBUTE] = Target(connection, "ledger", "ledger_version")
    command.upgrade(config, "0001")
