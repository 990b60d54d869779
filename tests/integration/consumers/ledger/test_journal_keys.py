"""What a row of the journal refers to is there, although its tables have no foreign keys."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.handler import handle
from consumers.ledger.reading.verify import verify
from consumers.ledger.service import SERVICE
from consumers.runtime.migrations.environment import ATTRIBUTE, Target
from consumers.runtime.store import migrate
from consumers.runtime.store.migrate import upgrade
from tests.parts.ledger.told import told

POSTINGS = """
INSERT INTO ledger.posting SELECT {transaction}, line, {account}, 'USDT', amount
FROM (VALUES (10::smallint, 1), (11::smallint, -1)) AS lines (line, amount)
"""
KNOWN = "(SELECT min(id) FROM ledger.transaction)"
PLACE = "(SELECT min(id::text)::uuid FROM ledger.account)"
CAUSED = """
INSERT INTO ledger.transaction ({column}, description, moment, day)
VALUES (gen_random_uuid(), '', now(), current_date)
"""

STRAYS = {
    "posting_transaction_id_fkey": POSTINGS.format(transaction=-1, account=PLACE),
    "posting_account_id_fkey": POSTINGS.format(transaction=KNOWN, account="gen_random_uuid()"),
    "transaction_event_id_fkey": CAUSED.format(column="event_id"),
    "transaction_transfer_id_fkey": CAUSED.format(column="transfer_id"),
}
"""Statements that insert a row without what it refers to, by the name of the key."""

GOOD = POSTINGS.format(transaction=KNOWN, account=PLACE)


async def booked(ledger: AsyncEngine, payment: str = "P-1") -> None:
    """Book one payment."""
    async with ledger.begin() as transaction:
        await handle(transaction, [told("payment.confirmed", "100", payment=payment)])


async def refusal(ledger: AsyncEngine, statement: str) -> Any:  # noqa: ANN401 - the driver's error
    """Run a statement and return the driver's error."""
    with pytest.raises(IntegrityError) as refused:
        async with ledger.begin() as connection:
            await connection.execute(text(statement))
    return getattr(refused.value.orig, "__cause__", None)


@pytest.mark.parametrize("name", STRAYS)
async def test_a_row_without_what_it_refers_to_is_refused(ledger: AsyncEngine, name: str) -> None:
    await booked(ledger)
    error = await refusal(ledger, STRAYS[name])
    assert isinstance(error, asyncpg.ForeignKeyViolationError)
    assert error.constraint_name == name
    assert (error.schema_name, error.table_name) == ("ledger", name.partition("_")[0])


async def test_a_row_with_what_it_refers_to_is_accepted(ledger: AsyncEngine) -> None:
    await booked(ledger)
    async with ledger.begin() as connection:
        await connection.execute(text(GOOD))


async def test_one_stray_row_among_many_is_refused(ledger: AsyncEngine) -> None:
    for payment in ("P-1", "P-2", "P-3"):
        await booked(ledger, payment)
    many = (
        "INSERT INTO ledger.posting SELECT id, n::smallint, {place}, 'USDT', CASE n WHEN 20 THEN 1 "
        "ELSE -1 END FROM generate_series(20, 21) n, (SELECT id FROM ledger.transaction {stray}) t"
    )
    error = await refusal(ledger, many.format(place=PLACE, stray="UNION ALL SELECT 4000"))
    assert "(transaction_id)=(4000)" in error.detail
    async with ledger.begin() as connection:
        await connection.execute(text(many.format(place=PLACE, stray="")))


async def test_copy_is_refused_too(ledger_url: str) -> None:
    driver = await asyncpg.connect(ledger_url.replace("+asyncpg", ""))
    try:
        row = (uuid4(), "", datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1))
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await driver.copy_records_to_table(
                "transaction",
                schema_name="ledger",
                records=[row],
                columns=["event_id", "description", "moment", "day"],
            )
    finally:
        await driver.close()


async def test_what_another_transaction_has_not_committed_is_not_there(ledger: AsyncEngine) -> None:
    await booked(ledger)
    async with ledger.connect() as other:
        await other.execute(
            text("INSERT INTO ledger.account VALUES (:id, 'a', 'a', 'a', 'a')"), {"id": uuid4()}
        )
        query = text("SELECT id FROM ledger.account WHERE name = 'a'")
        place = await other.scalar(query)
        stray = POSTINGS.format(transaction=KNOWN, account=f"'{place}'::uuid")
        error = await asyncio.wait_for(refusal(ledger, stray), 30)
        assert error.constraint_name == "posting_account_id_fkey"
        # In its own transaction it is.
        await other.execute(text(stray))
        await other.rollback()


PARENTS = {
    "account": "id = gen_random_uuid()",
    "event": "event_id = gen_random_uuid()",
    "transaction": "id = DEFAULT",
    "transfer": "id = gen_random_uuid()",
}


@pytest.mark.parametrize("table", PARENTS)
@pytest.mark.parametrize("way", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_what_rows_refer_to_is_neither_changed_nor_deleted(
    ledger: AsyncEngine, table: str, way: str
) -> None:
    await booked(ledger)
    statement = {
        "UPDATE": f"UPDATE ledger.{table} SET {PARENTS[table]}",
        "DELETE": f"DELETE FROM ledger.{table}",
        "TRUNCATE": f"TRUNCATE ledger.{table} CASCADE",
    }[way]
    for mode in ("origin", "replica"):
        async with ledger.connect() as connection:
            await connection.execute(text(f"SET LOCAL session_replication_role = {mode}"))
            with pytest.raises(DBAPIError, match=f"is append-only: {way} refused"):
                await connection.execute(text(statement))


async def test_a_stray_row_leaves_no_balance_behind(ledger: AsyncEngine) -> None:
    await booked(ledger)
    for statement in STRAYS.values():
        await refusal(ledger, statement)
    async with ledger.connect() as connection:
        assert (await verify(connection)).faults == []


@pytest.fixture
async def older(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty database."""
    engine = create_async_engine(database_url)
    try:
        yield engine
    finally:
        await engine.dispose()


def up_to(revision: str, connection: Connection, history: Any) -> None:  # noqa: ANN401
    """Apply all scripts of the runtime, and the ledger's up to a revision."""
    config = migrate.config_of(history)
    config.attributes[ATTRIBUTE] = Target(connection, history.schema, history.version_table)
    command.upgrade(config, "heads" if history.name == "runtime" else revision)


async def keys(engine: AsyncEngine) -> set[str]:
    """Return the names of the foreign keys of postings and transactions."""
    query = text(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid IN "
        "('ledger.posting'::regclass, 'ledger.transaction'::regclass)"
    )
    async with engine.connect() as connection:
        return set(await connection.scalars(query))


async def test_upgrade_keeps_the_journal_and_what_its_keys_refuse(
    older: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(migrate, "_apply", partial(up_to, "0002"))
        await upgrade(older, SERVICE)
    await booked(older, "P-1")
    assert await keys(older) == STRAYS.keys()
    former = {name: (await refusal(older, each)).sqlstate for name, each in STRAYS.items()}
    assert await upgrade(older, SERVICE) == ["ledger 0003", "ledger 0004", "ledger 0005"]
    assert await keys(older) == set()
    assert {name: (await refusal(older, each)).sqlstate for name, each in STRAYS.items()} == former
    await booked(older, "P-2")
    async with older.connect() as connection:
        checked = await verify(connection)
    assert (checked.transactions, checked.faults) == (2, [])
