"""Consoles with books for the tests of this folder: one of a module, and one of a test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.parts.console.kept_books import KeptBooks, kept_books
from tests.parts.templates import Templates, templates

__all__ = ["templates"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def books(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> AsyncIterator[KeptBooks]:
    """Yield a console that all tests of a module read."""
    async with kept_books(tmp_path_factory.mktemp("books"), templates) as kept:
        yield kept


@pytest.fixture
async def own_books(tmp_path: Path, templates: Templates) -> AsyncIterator[KeptBooks]:
    """Yield a console whose databases the test may change."""
    async with kept_books(tmp_path, templates) as kept:
        yield kept
