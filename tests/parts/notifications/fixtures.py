"""A separate notifications database for every test that uses one."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.notifications.service import SERVICE
from consumers.runtime.store.migrate import upgrade


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a database without messages."""
    engine = create_async_engine(database_url, pool_size=10)
    try:
        await upgrade(engine, SERVICE)
        yield engine
    finally:
        await engine.dispose()
