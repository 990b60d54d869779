"""A separate inventory for every test that uses one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory.service import SERVICE
from consumers.runtime.store.migrate import upgrade
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.inventory.shop import Shop


async def _upgraded(url: str) -> None:
    engine = create_async_engine(url)
    try:
        await upgrade(engine, SERVICE)
    finally:
        await engine.dispose()


@pytest.fixture(scope="package")
def empty_inventory(database_server: DatabaseServer) -> Iterator[str]:
    """Yield the URL of a template database; copying it is faster than running Alembic."""
    with fresh_database(database_server) as url:
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(asyncio.run, _upgraded(url)).result()
        yield url


@pytest.fixture
def inventory_url(database_server: DatabaseServer, empty_inventory: str) -> Iterator[str]:
    """Yield the URL of an empty inventory."""
    with fresh_database(database_server, empty_inventory) as url:
        yield url


@pytest.fixture
async def shop(inventory_url: str) -> AsyncIterator[Shop]:
    """Yield an empty inventory."""
    engine = create_async_engine(inventory_url)
    try:
        yield Shop(engine)
    finally:
        await engine.dispose()
