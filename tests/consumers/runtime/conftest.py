"""A database of the counting consumer for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.runtime.migrate import upgrade
from tests.consumers.runtime.counting import SERVICE


@pytest.fixture
async def counting(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give the engine of a database with the counting consumer's tables, all empty."""
    engine = create_async_engine(database_url, pool_size=10)
    try:
        await upgrade(engine, SERVICE)
        yield engine
    finally:
        await engine.dispose()
