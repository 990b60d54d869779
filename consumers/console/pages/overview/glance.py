"""What needs attention now, as one line for each thing, for the cards of the first page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.console.pages.cases.reading import gathered
from consumers.console.pages.groups.survey import GroupProgress, survey_of
from consumers.console.pages.overview.quarantined import quarantined_count
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.entry import entries_of
from consumers.runtime.casebook.reading import CaseFilter
from consumers.runtime.cases.kind import Severity

MOST_CASES: Final = 1000
"""Most cases of each consumer to count."""


@dataclass(frozen=True)
class GlanceLine:
    """A sentence with a link; `tone` is `good`, `warn` or `bad`."""

    sentence: str
    path: str
    tone: str


async def at_a_glance(visit: ConsoleVisit) -> Mapping[str, Sequence[GlanceLine]]:
    """Return the lines of each page by its name; what cannot be read is a line, too."""
    readers: Mapping[str, Callable[[ConsoleVisit], Awaitable[Sequence[GlanceLine]]]] = {
        "cases": _cases,
        "groups": _groups,
        "deliveries": _deliveries,
    }
    return {name: await read(visit) for name, read in readers.items()}


async def _cases(visit: ConsoleVisit) -> Sequence[GlanceLine]:
    wanted = CaseFilter(accounts=visit.viewer.accounts, limit=MOST_CASES, counted=False)
    found = await gathered(visit, wanted)
    entries = entries_of(found.cases)
    urgent = sum(each.kind.severity is Severity.PAGE for each in entries)
    lines = [
        GlanceLine(visit.text("overview.away", name=name), "/cases", "warn")
        for name in sorted(found.away)
    ]
    if urgent:
        lines.append(GlanceLine(visit.count("overview.urgent", urgent), "/cases", "bad"))
    if len(entries) > urgent:
        others = visit.count("overview.open", len(entries) - urgent)
        lines.append(GlanceLine(others, "/cases", "warn"))
    if any(len(each.cases) == MOST_CASES for each in found.found.values()):
        lines.append(GlanceLine(visit.text("overview.more"), "/cases", "warn"))
    return lines or [GlanceLine(visit.text("overview.no_case"), "/cases", "good")]


async def _groups(visit: ConsoleVisit) -> Sequence[GlanceLine]:
    progress = await survey_of(visit).progress(visit)
    lines = [line for group in progress.groups for line in _of_group(visit, group)]
    if progress.problems:
        lines.append(GlanceLine(visit.text("overview.no_broker"), "/groups", "warn"))
    return lines or [GlanceLine(visit.text("overview.moving"), "/groups", "good")]


def _of_group(visit: ConsoleVisit, group: GroupProgress) -> Sequence[GlanceLine]:
    path = f"/groups#g-{group.name}"
    if group.away:
        return [GlanceLine(visit.text("overview.away", name=group.name), path, "bad")]
    if not group.trouble:
        return []
    stopped = visit.count("overview.stopped", len(group.trouble), name=group.name)
    return [GlanceLine(stopped, path, "bad")]


async def _deliveries(visit: ConsoleVisit) -> Sequence[GlanceLine]:
    path = "/deliveries?outcome=quarantined"
    count = await quarantined_count(visit)
    if count is None:
        return [GlanceLine(visit.text("overview.quarantine_unknown"), path, "warn")]
    if not count:
        return [GlanceLine(visit.text("overview.quarantine_empty"), path, "good")]
    return [GlanceLine(visit.count("overview.quarantined", count), path, "warn")]
