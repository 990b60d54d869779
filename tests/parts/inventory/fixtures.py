"""A shop of its own for every test that asks for one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory import SERVICE
from tests.parts.inventory.shop import Shop
from tests.parts.templates import Templates


@pytest.fixture
def inventory_url(templates: Templates) -> Iterator[str]:
    """Give the URL of an empty inventory."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def shop(inventory_url: str) -> AsyncIterator[Shop]:
    """Give an empty inventory."""
    engine = create_async_engine(inventory_url)
    try:
        yield Shop(engine)
    finally:
        await engine.dispose()
