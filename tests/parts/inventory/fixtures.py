"""A separate inventory for every test that uses one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory.service import SERVICE
from tests.parts.inventory.shop import Shop
from tests.parts.templates import Templates


@pytest.fixture
def inventory_url(templates: Templates) -> Iterator[str]:
    """Yield the URL of an empty inventory."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def shop(inventory_url: str) -> AsyncIterator[Shop]:
    """Yield an empty inventory."""
    engine = create_async_engine(inventory_url)
    try:
        yield Shop(engine)
    finally:
        await engine.dispose()
