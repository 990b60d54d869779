"""A separate empty ledger for every test that uses one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.service import SERVICE
from tests.parts.templates import Templates


@pytest.fixture
def ledger_url(templates: Templates) -> Iterator[str]:
    """Yield the URL of an empty ledger."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty ledger."""
    engine = create_async_engine(ledger_url)
    try:
        yield engine
    finally:
        await engine.dispose()
