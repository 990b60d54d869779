"""A shop of its own for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory import SERVICE
from consumers.runtime.migrate import upgrade
from tests.consumers.inventory.shop import Shop


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """Give an empty inventory."""
    engine = create_async_engine(database_url)
    try:
        await upgrade(engine, SERVICE)
        yield Shop(engine)
    finally:
        await engine.dispose()
