"""Behind PgBouncer: every transaction has its own guards, and an unnamed pooler is refused."""

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consumers.ledger.service import SERVICE
from consumers.runtime.apply.failures import Action, Phase, decide, describe
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import (
    StoreAway,
    StoreUnavailable,
    acting,
    reading,
    transaction_of,
)
from consumers.runtime.store.engines import KNOWS_TRANSACTION_TIMEOUT, has_pooler, open_engine
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.databases import DatabaseServer
from tests.parts.pooler import missing, pooler_of

SESSION = (
    *("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"),
    *("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"),
)
REMEDY = 'set `pooler = "transaction"` next to the URL of the database'


@pytest.fixture(scope="module")
def pooled(database_server: DatabaseServer, wishes_ci: bool) -> Iterator[str]:  # noqa: FBT001 - a fixture
    """Give a URL through PgBouncer, which has a single session for all of its clients."""
    reason = missing()
    if reason is not None:
        (pytest.fail if wishes_ci else pytest.skip)(reason)
    with pooler_of(database_server.url, default_pool_size="1") as pooler:
        yield pooler.url_of(database_server.url)


@pytest.fixture(scope="module")
def lenient(database_server: DatabaseServer, pooled: str) -> Iterator[str]:
    """Give a URL through a PgBouncer that ignores the parameters of a session."""
    assert pooled
    ignored = ",".join(SESSION)
    with pooler_of(
        database_server.url, default_pool_size="1", ignore_startup_parameters=ignored
    ) as pooler:
        yield pooler.url_of(database_server.url)


def settings(url: str, **more: Any) -> ConsumerSettings:  # noqa: ANN401 - its fields
    return ConsumerSettings(
        name=SERVICE.name,
        kafka=connection_to("localhost:1"),
        database_url=SecretStr(url),
        topics=Topics(""),
        tuning=Tuning(transaction_timeout_seconds=7),
        **more,
    )


GUARDS = text(
    "SELECT name, setting FROM pg_settings WHERE name IN ('application_name', 'lock_timeout',"
    " 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
)


async def test_every_transaction_has_its_guards_and_leaves_none(pooled: str) -> None:
    async with acting(settings(pooled, pooled=True)) as engine:
        for _ in range(2):
            async with engine.connect() as connection:
                rows = await connection.execute(GUARDS)
                found = {row.name: row.setting for row in rows}
                major = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
                assert await has_pooler(connection)
                prepared = text("SELECT count(*) FROM pg_prepared_statements")
                assert await connection.scalar(prepared) == 0
            expected = {
                "application_name": "payrouter.ledger",
                "idle_in_transaction_session_timeout": "7000",
                "lock_timeout": "3500",
                "statement_timeout": "7000",
            }
            if int(major) // 10_000 >= KNOWS_TRANSACTION_TIMEOUT:
                expected["transaction_timeout"] = "21000"
            assert found == expected
    other = await asyncpg.connect(pooled.replace("+asyncpg", ""), statement_cache_size=0)
    left = {row[0]: row[1] for row in await other.fetch(str(GUARDS))}
    await other.close()
    assert {left.pop("application_name"), *left.values()} == {"", "0"}


async def test_a_listing_is_read_only_with_one_snapshot(pooled: str) -> None:
    async with reading(settings(pooled, pooled=True), patient=True) as connection:
        shown = [await connection.scalar(text(f"SHOW transaction_{each}")) for each in SNAPSHOT]
    assert shown == ["on", "repeatable read"]


SNAPSHOT = ("read_only", "isolation")


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("pooled", "a connection pooler refuses the parameters of a session"),
        ("lenient", "a connection pooler is between this process and PostgreSQL"),
    ],
)
async def test_a_pooler_that_is_not_configured_is_named(
    request: pytest.FixtureRequest, way: str, found: str
) -> None:
    without = settings(request.getfixturevalue(way))
    engine = open_engine(without)
    with pytest.raises(StoreAway) as away:
        async with transaction_of(engine):
            pass
    await engine.dispose()
    with pytest.raises(StoreUnavailable) as unavailable:
        async with reading(without):
            pass

    for said in (describe(away.value), str(unavailable.value)):
        assert f"{found}: {REMEDY}" in said
    assert decide(away.value, Phase.APPLY) is Action.RETRY


async def test_prepared_statements_behind_a_pooler_are_named(pooled: str) -> None:
    url = pooled.replace("+asyncpg", "")
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    # Two processes number their statements alike; here it is one process.
    statement = await first.prepare("SELECT 1", name="statement")
    await statement.fetch()
    with pytest.raises(asyncpg.DuplicatePreparedStatementError) as repeated:
        await second.prepare("SELECT 2", name="statement")
    await first.close()
    await second.close()
    assert f"a connection pooler does not keep prepared statements: {REMEDY}" in describe(
        repeated.value
    )


async def test_a_pool_without_a_free_session_is_named(
    database_server: DatabaseServer, pooled: str
) -> None:
    assert pooled
    options = {"default_pool_size": "1", "query_wait_timeout": "1"}
    with pooler_of(database_server.url, **options) as pooler:
        at_pooler = settings(pooler.url_of(database_server.url), pooled=True)
        async with acting(at_pooler) as engine, engine.connect() as busy:
            await busy.execute(text("SELECT 1"))
            with pytest.raises(DBAPIError) as waited:
                async with transaction_of(engine) as connection:
                    await connection.execute(text("SELECT 1"))
    assert "make its pool larger" in describe(waited.value)
    assert decide(waited.value, Phase.APPLY) is Action.RETRY


async def test_a_server_without_a_pooler_has_none(database_url: str) -> None:
    async with acting(settings(database_url)) as engine, engine.connect() as connection:
        assert not await has_pooler(connection)
