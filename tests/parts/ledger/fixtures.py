"""A separate empty ledger for every test that uses one."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.service import SERVICE
from consumers.runtime.store.migrate import upgrade


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty ledger."""
    engine = create_async_engine(database_url)
    try:
        await upgrade(engine, SERVICE)
        yield engine
    finally:
        await engine.dispose()
