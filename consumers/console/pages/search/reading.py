"""Searches for one text: a trace, or the orders of a customer or an address."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.console.pages.deliveries.filters import accounts_of
from consumers.console.pages.search.finding import (
    FoundOrder,
    is_email,
    orders_of_address,
    orders_of_email,
)
from consumers.console.web.problems import PageProblem
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import StoreUnavailable
from consumers.runtime.trace.gather import Trace, TraceQuestion, trace
from consumers.runtime.trace.lines import TraceLine, lines_of
from consumers.runtime.trace.notes import notes_of
from consumers.runtime.trace.verdict import Verdict, verdict_of

NEWEST = 1_000
"""Number of the newest stored deliveries of each partition that are searched."""


@dataclass(frozen=True)
class SearchResult:
    """What was found: a trace with its lines, or orders to choose from."""

    trace: Trace | None = None
    lines: Sequence[TraceLine] = ()
    verdict: Verdict | None = None
    notes: Sequence[str] = ()
    orders: Sequence[FoundOrder] = ()
    hidden: bool = False
    """Whether it was not searched, because the person may not see data about customers."""


async def search(visit: ConsoleVisit, text: str, account: str | None) -> SearchResult:
    """Search for a text; one account's if it is given. Raises TooSlow or Away."""
    if is_email(text):
        return await _of_customer(visit, text)
    question = TraceQuestion(text, account, NEWEST, visit.viewer.accounts)
    found = await trace(_limited(visit), question, partial(_opened, visit))
    if not found.found and "inventory" in visit.sources.stores:
        async with visit.reading("inventory") as connection:
            orders = await orders_of_address(connection, text, accounts_of(visit))
        if orders:
            return SearchResult(orders=orders)
    lines = lines_of(found)
    return SearchResult(
        found, lines, verdict_of(found, lines, visit.now), _notes(visit, found, lines)
    )


async def _of_customer(visit: ConsoleVisit, text: str) -> SearchResult:
    if not visit.viewer.personal:
        return SearchResult(hidden=True)
    if "notifications" not in visit.sources.stores:
        return SearchResult()
    async with visit.reading("notifications") as connection:
        return SearchResult(orders=await orders_of_email(connection, text, visit.viewer.accounts))


@asynccontextmanager
async def _opened(visit: ConsoleVisit, consumer: Consumer) -> AsyncIterator[AsyncConnection]:
    """Open a connection of the console; raises StoreUnavailable, which a trace reports."""
    try:
        async with visit.reading(consumer.service.name) as connection:
            yield connection
    except PageProblem as problem:
        raise StoreUnavailable(visit.text(problem.key, **problem.values)) from problem


def _limited(visit: ConsoleVisit) -> Sequence[Consumer]:
    """Return the consumers with the time-out of the console's reading."""
    seconds = visit.sources.settings.console.read_seconds
    return [_with_timeout(each, seconds) for each in visit.sources.consumers.values()]


def _with_timeout(consumer: Consumer, seconds: float) -> Consumer:
    own = consumer.settings
    tuning = own.tuning.model_copy(update={"transaction_timeout_seconds": seconds})
    return replace(consumer, settings=replace(own, tuning=tuning))


def _notes(visit: ConsoleVisit, found: Trace, lines: Sequence[TraceLine]) -> Sequence[str]:
    """Return what was not read; without sentences about options of the command."""
    notes = notes_of(found, lines)
    if visit.viewer.accounts is None:
        return [each for each in notes if not each.startswith("several merchants")]
    # Sentences about partitions and databases are about everybody's records.
    return [visit.text("search.incomplete")] if not found.whole else []
