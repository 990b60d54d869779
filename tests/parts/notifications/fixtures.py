"""A separate notifications database for every test that uses one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.notifications.service import SERVICE
from tests.parts.templates import Templates


@pytest.fixture
def desk_url(templates: Templates) -> Iterator[str]:
    """Yield the URL of a database without messages."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def desk(desk_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a database without messages."""
    engine = create_async_engine(desk_url, pool_size=10)
    try:
        yield engine
    finally:
        await engine.dispose()
