"""Reads the cases that the viewer may see, of every consumer's database."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from consumers.console.web.problems import Away, NotThere, TooSlow
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.entry import CaseEntry, entries_named
from consumers.runtime.casebook.gather import GatheredCases
from consumers.runtime.casebook.reading import CaseFilter, FoundCases, read_cases
from consumers.runtime.casebook.word import CaseWord, read_words

_GONE: Final = "cases.gone"


async def gathered(
    visit: ConsoleVisit, wanted: CaseFilter, names: Collection[str] = ()
) -> GatheredCases:
    """Return the cases of these consumers, or all; one that is away does not hide the others."""
    asked = [name for name in visit.sources.consumers if not names or name in names]
    answers = await asyncio.gather(*(_read(visit, name, wanted) for name in asked))
    pairs = list(zip(asked, answers, strict=True))
    return GatheredCases(
        {name: answer for name, answer in pairs if not isinstance(answer, str)},
        {name: answer for name, answer in pairs if isinstance(answer, str)},
    )


async def _read(visit: ConsoleVisit, name: str, wanted: CaseFilter) -> FoundCases | str:
    consumer = visit.sources.consumers[name]
    try:
        async with visit.reading(name) as connection:
            return await read_cases(connection, consumer, wanted)
    except (Away, TooSlow) as problem:
        return visit.text(problem.key, **problem.values)


def away_note(visit: ConsoleVisit, found: GatheredCases) -> str:
    """Return which consumers could not be read, and why; empty if all were."""
    parts = [
        visit.text("cases.away", consumer=name, why=why) for name, why in sorted(found.away.items())
    ]
    return " ".join(parts)


async def one_case(visit: ConsoleVisit, case: str) -> CaseEntry:
    """Return a case by its whole id; raises NotThere, also for another merchant's."""
    (found,) = await some_cases(visit, [case])
    return found


async def some_cases(visit: ConsoleVisit, ids: Sequence[str]) -> Sequence[CaseEntry]:
    """Return cases by their whole ids, in this order; raises NotThere if one is missing."""
    if not ids:
        raise NotThere(_GONE)
    wanted = CaseFilter(closed=None, accounts=visit.viewer.accounts, ids=ids, counted=False)
    known = await _known(visit, wanted, ids)
    if not set(ids) <= known.keys():
        # An entry of several consumers has a separate id.
        known |= await _known(visit, replace(wanted, ids=(), records_only=True), ids)
    if not set(ids) <= known.keys():
        raise NotThere(_GONE)
    return [known[each] for each in dict.fromkeys(ids)]


async def _known(
    visit: ConsoleVisit, wanted: CaseFilter, ids: Sequence[str]
) -> dict[str, CaseEntry]:
    found = await gathered(visit, wanted)
    known = {each.id: each for each in entries_named(found.cases, "")}
    if found.away and not set(ids) <= known.keys():
        # A case of several consumers has another id while one of them cannot be read.
        raise Away(away_note(visit, found))
    return known


async def words_about(visit: ConsoleVisit, entry: CaseEntry) -> Sequence[tuple[str, CaseWord]]:
    """Return the decisions about a case with the consumer of each, the oldest first."""
    subjects = {each.subject for each in entry.members}
    found: list[tuple[str, CaseWord]] = []
    for name in entry.consumers:
        async with visit.reading(name) as connection:
            tables = visit.sources.consumers[name].tables
            words = await read_words(connection, tables, entry.kind.name, subjects)
            found += [(name, each) for each in words]
    return sorted(found, key=lambda pair: pair[1].at)
