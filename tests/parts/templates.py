"""Databases with a consumer's tables: upgraded once in a run, then copied for each test."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Self

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.runtime.service import Service
from consumers.runtime.store.migrate import upgrade
from tests.parts.databases import DatabaseServer, fresh_database


class Templates:
    """Upgraded databases to copy, one per consumer, made when a test first needs it."""

    def __init__(self, server: DatabaseServer) -> None:
        """Make none yet."""
        self._server = server
        self._urls: dict[str, str] = {}
        self._databases = ExitStack()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the databases."""
        self._databases.close()

    @contextmanager
    def copied(self, service: Service) -> Iterator[str]:
        """Make a database with the empty tables of a consumer, give its URL, and drop it."""
        with fresh_database(self._server, like=self._template(service)) as url:
            yield url

    def _template(self, service: Service) -> str:
        if service.name not in self._urls:
            url = self._databases.enter_context(fresh_database(self._server))
            # in an event loop apart from the test's
            with ThreadPoolExecutor(max_workers=1) as thread:
                thread.submit(asyncio.run, _upgrade(url, service)).result()
            self._urls[service.name] = url
        return self._urls[service.name]


async def _upgrade(url: str, service: Service) -> None:
    engine = create_async_engine(url)
    try:
        await upgrade(engine, service)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def templates(database_server: DatabaseServer) -> Iterator[Templates]:
    """Give the upgraded databases of this run."""
    with Templates(database_server) as templates:
        yield templates
