"""A console on the broker and the database of the run, for every test of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.console.operated import OperatedConsole, operated_console
from tests.parts.runtime.fixtures import counting, counting_url, feed
from tests.parts.runtime.members import Feed
from tests.parts.templates import templates

__all__ = ["counting", "counting_url", "feed", "templates"]


@pytest.fixture
async def console(
    feed: Feed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OperatedConsole]:
    """Serve a console with actions."""
    async with operated_console(feed, tmp_path, monkeypatch) as operated:
        yield operated
