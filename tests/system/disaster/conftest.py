"""A shop, its database, and someone who runs commands."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.disaster.operator import Operator
from tests.parts.disaster.shop import Shop
from tests.parts.notifications.receivers import hook


@pytest.fixture
def url(database_server: DatabaseServer) -> Iterator[str]:
    """Yield the URL of an empty database."""
    with fresh_database(database_server) as url:
        yield url


@pytest.fixture
async def shop(topics_prefix: str) -> AsyncIterator[Shop]:
    """Yield a shop whose messages are received by a webhook."""
    async with hook() as receiver:
        yield Shop(topics_prefix, receiver)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return someone who runs commands."""
    return Operator(tmp_path, monkeypatch)
