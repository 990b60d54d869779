"""This version runs on the schema of the next one: before, while and after it is upgraded.

UPGRADING.md lets the next version add tables, columns, indexes and scripts, and nothing else, so
that the tables are upgraded first and the processes are replaced one after the other.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from consumers.runtime.store.schema_version import histories
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.disaster.shop import SERVICES, Shop, connected, furnished
from tests.parts.notifications.receivers import hook

COLUMNS = "ADD COLUMN of_the_next_version text, ADD COLUMN counted int NOT NULL DEFAULT 0"


@pytest.fixture
def url(database_server: DatabaseServer) -> Iterator[str]:
    """Yield the URL of an empty database."""
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture
async def shop(topics_prefix: str) -> AsyncIterator[Shop]:
    """Yield a shop whose messages are received by a webhook."""
    async with hook() as receiver:
        yield Shop(topics_prefix, receiver)


async def upgrade_to_the_next_version(url: str) -> None:
    """Add what the next version may add: columns to every table, a table, and a revision."""
    for service in SERVICES:
        runtime = RuntimeTables.of(service.schema).metadata
        for table in (*service.tables.tables.values(), *runtime.tables.values()):
            await run(url, f'ALTER TABLE "{service.schema}"."{table.name}" {COLUMNS}')
        for history in histories(service):
            versions = f'"{history.schema}"."{history.version_table}"'
            await run(url, f"UPDATE {versions} SET version_num = 'next'")
        await run(url, f'CREATE TABLE "{service.schema}".later (id int)')


async def run(url: str, statement: str) -> None:
    """Run a statement in a separate transaction, which cannot deadlock with the consumers."""
    async with connected(url) as connection:
        await connection.execute(text(statement))


async def test_this_version_applies_everything_once_on_the_schema_of_the_next_one(
    broker: Broker, url: str, shop: Shop
) -> None:
    await furnished(url)
    await shop.open(broker.bootstrap)
    async with shop.consumers(broker, url):
        await shop.sell(broker.bootstrap, 4)
        await shop.settled(url)
        await upgrade_to_the_next_version(url)
        await shop.sell(broker.bootstrap, 4)
        await shop.settled(url)
        await shop.told()
    # A process that is started again before it is replaced, or after a roll-back.
    async with shop.consumers(broker, url) as consumers:
        await shop.sell(broker.bootstrap, 4)
        await shop.settled(url)
        await shop.told()
        for each in consumers.values():
            assert each.process.ready().good, each.process.ready().detail
            assert not {"parked", "dead_lettered"} & set(each.outcomes())
