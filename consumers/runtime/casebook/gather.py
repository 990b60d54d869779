"""Reads the cases of several consumers, each from its own database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.runtime.casebook.entry import CaseEntry, entries_of
from consumers.runtime.casebook.reading import CaseFilter, FoundCases, read_cases
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.casebook.word import CaseWord, read_words
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import StoreUnavailable, reading


@dataclass(frozen=True)
class GatheredCases:
    """Cases by consumer, and why the database of a consumer in `away` could not be read."""

    found: Mapping[str, FoundCases]
    away: Mapping[str, str]

    @property
    def cases(self) -> Sequence[StoredCase]:
        """All cases that were read, the oldest first."""
        every = [each for found in self.found.values() for each in found.cases]
        return sorted(every, key=lambda each: each.order_of_listing)

    @property
    def entries(self) -> Sequence[CaseEntry]:
        """One entry for each thing, the oldest first."""
        return entries_of(self.cases)

    @property
    def unread(self) -> int:
        """Number of cases beyond the limit of what was read."""
        return sum(each.total - len(each.cases) for each in self.found.values())


async def gather_cases(consumers: Sequence[Consumer], wanted: CaseFilter) -> GatheredCases:
    """Read every consumer; one that cannot be read does not hide the others."""
    answers = await asyncio.gather(*(_asked(each, wanted) for each in consumers))
    named = list(zip((each.service.name for each in consumers), answers, strict=True))
    return GatheredCases(
        {name: answer for name, answer in named if not isinstance(answer, str)},
        {name: answer for name, answer in named if isinstance(answer, str)},
    )


async def gather_words(
    consumers: Sequence[Consumer], entry: CaseEntry
) -> Sequence[tuple[str, CaseWord]]:
    """Return every word about an entry with its consumer, the oldest first."""
    found: list[tuple[str, CaseWord]] = []
    subjects = {each.subject for each in entry.members}
    for consumer in consumers:
        if consumer.service.name in entry.consumers:
            async with reading(consumer.settings) as connection:
                words = await read_words(connection, consumer.tables, entry.kind.name, subjects)
                found += [(consumer.service.name, each) for each in words]
    return sorted(found, key=lambda pair: pair[1].at)


async def _asked(consumer: Consumer, wanted: CaseFilter) -> FoundCases | str:
    try:
        async with reading(consumer.settings) as connection:
            return await read_cases(connection, consumer, wanted)
    except StoreUnavailable as problem:
        return str(problem)
