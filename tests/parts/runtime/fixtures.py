"""Fixtures: a database and topics of the counting consumer."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.parts.brokers import Broker
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import SERVICE
from tests.parts.runtime.members import Feed, feeding
from tests.parts.runtime.parcels import SERVICE as PARCELS
from tests.parts.templates import Templates


@pytest.fixture
def counting_url(templates: Templates) -> Iterator[str]:
    """Yield the URL of a database with the counting consumer's tables, all empty."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
async def counting(counting_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a database with the counting consumer's tables, all empty."""
    engine = create_async_engine(counting_url, pool_size=10)
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
def parcels_url(templates: Templates) -> Iterator[str]:
    """Yield the URL of a database with the parcels' tables, all empty."""
    with templates.copied(PARCELS) as url:
        yield url


@pytest.fixture
async def parcels(parcels_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a database with the parcels' tables, all empty."""
    engine = create_async_engine(parcels_url, pool_size=10)
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def feed(broker: Broker, counting: AsyncEngine, topics_prefix: str) -> AsyncIterator[Feed]:
    """Yield a topic of four partitions, with functions to fill and consume it."""
    async with feeding(broker, counting, topics_prefix) as feed:
        yield feed


@pytest.fixture
def payrouter(feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Payrouter:
    """Return a function that runs commands on the counting consumer."""
    return Payrouter(feed, tmp_path, monkeypatch)
