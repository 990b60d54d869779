"""A database of the notifications for every test that asks for one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.notifications import SERVICE
from tests.parts.templates import Templates


@pytest.fixture
def desk_url(templates: Templates) -> Iterator[str]:
    """Give the URL of a database where nobody was told anything yet."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def desk(desk_url: str) -> AsyncIterator[AsyncEngine]:
    """Give the engine of a database where nobody was told anything yet."""
    engine = create_async_engine(desk_url, pool_size=10)
    try:
        yield engine
    finally:
        await engine.dispose()
