"""What pages read from and act on."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.console.figures.figures import FigureSource, NoFigures
from consumers.console.web.problems import Away, TooSlow
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import StoreUnavailable, unavailability_explained
from consumers.runtime.store.engines import open_engine
from router.configuration.settings import Settings

_CANCELLED = {"57014", "55P03", "25P03", "25P04"}
"""PostgreSQL's error codes for a statement, lock or transaction that took too long."""


@dataclass(frozen=True)
class ConsoleStore:
    """The database of one consumer: an engine that reads, perhaps a replica, and one that acts."""

    consumer: Consumer
    reader: AsyncEngine = field(repr=False)
    writer: AsyncEngine = field(repr=False)

    async def close(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
        await self.writer.dispose()


@dataclass(frozen=True)
class ConsoleSources:
    """The configuration, the consumers with their databases, and the clock."""

    settings: Settings
    stores: Mapping[str, ConsoleStore]
    clock: Callable[[], datetime]
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    """What pages keep between requests, by the name of their module."""
    figures: FigureSource = field(default_factory=NoFigures)
    """What edges counted for each endpoint."""

    @property
    def consumers(self) -> Mapping[str, Consumer]:
        """The consumers by name."""
        return {name: store.consumer for name, store in self.stores.items()}

    @asynccontextmanager
    async def reading(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction with one snapshot; raises TooSlow or Away."""
        store = self.stores[name]
        with_problems = _explained(store.consumer, self.settings.console.read_seconds)
        async with with_problems, store.reader.connect() as connection:
            await connection.execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
            yield connection

    @asynccontextmanager
    async def acting(self, name: str) -> AsyncIterator[AsyncEngine]:
        """Return the engine that writes; raises TooSlow or Away."""
        store = self.stores[name]
        seconds = store.consumer.settings.tuning.transaction_timeout_seconds
        async with _explained(store.consumer, seconds):
            yield store.writer

    async def close(self) -> None:
        """Close all connections."""
        for store in self.stores.values():
            await store.close()


def open_sources(
    settings: Settings, consumers: Sequence[Consumer], clock: Callable[[], datetime]
) -> ConsoleSources:
    """Return the sources; they connect when they are first used."""
    seconds = settings.console.read_seconds
    stores = {each.service.name: _store(each, seconds) for each in consumers}
    return ConsoleSources(settings, stores, clock)


def _store(consumer: Consumer, read_seconds: float) -> ConsoleStore:
    settings = consumer.settings
    limited = settings.tuning.model_copy(update={"transaction_timeout_seconds": read_seconds})
    reader = open_engine(replace(settings.listing, tuning=limited), "console")
    return ConsoleStore(consumer, reader, open_engine(settings, "console"))


@asynccontextmanager
async def _explained(consumer: Consumer, seconds: float) -> AsyncIterator[None]:
    try:
        with unavailability_explained(consumer.settings):
            yield
    except TimeoutError as error:
        raise TooSlow(seconds) from error
    except StoreUnavailable as error:
        if _is_slow(error.__cause__):
            raise TooSlow(seconds) from error
        raise Away(str(error)) from error


def _is_slow(cause: BaseException | None) -> bool:
    driver = cause.orig if isinstance(cause, DBAPIError) else cause
    if isinstance(driver, TimeoutError | asyncpg.QueryCanceledError):
        return True
    return getattr(driver, "sqlstate", None) in _CANCELLED
