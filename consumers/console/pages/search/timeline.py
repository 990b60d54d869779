"""The lines of a trace for the template: by group, with masked facts and links."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from consumers.console.pages.deliveries.links import delivery_path
from consumers.console.pages.deliveries.seen import RecordPlace
from consumers.console.pages.search.privacy import shown_facts
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.trace.lines import TraceLine

_PLACE = re.compile(r"(.+)-(\d+)@(\d+)")
_POSTING = "line "
_GROUPS = frozenset({"deliveries", "events", "books", "stock", "messages", "held"})


@dataclass(frozen=True)
class ShownLine:
    """A line; `path` leads to its delivery, empty if it has none. `postings` are amounts booked."""

    at: datetime
    what: str
    by: str
    facts: Mapping[str, str]
    postings: Sequence[str]
    trouble: bool
    path: str


@dataclass(frozen=True)
class ShownGroup:
    """Lines of one part of the system; `title` is a text, or the name of a consumer."""

    title: str
    lines: Sequence[ShownLine]


def shown_groups(visit: ConsoleVisit, lines: Sequence[TraceLine]) -> Sequence[ShownGroup]:
    """Return the groups in the order of a payment's way."""
    return [
        ShownGroup(_title(visit, group), [_line(visit, each) for each in found])
        for group, found in groupby(lines, key=attrgetter("group"))
    ]


def _title(visit: ConsoleVisit, group: str) -> str:
    return visit.text(f"search.group.{group}") if group in _GROUPS else group


def _line(visit: ConsoleVisit, line: TraceLine) -> ShownLine:
    facts = shown_facts(visit, line.facts)
    return ShownLine(
        line.at,
        line.what,
        line.by,
        {name: fact for name, fact in facts.items() if not name.startswith(_POSTING)},
        [fact for name, fact in facts.items() if name.startswith(_POSTING)],
        line.trouble,
        _path(visit, line.facts.get("offset", "")),
    )


def _path(visit: ConsoleVisit, place: str) -> str:
    match = _PLACE.fullmatch(place)
    if match is None:
        return ""
    topics = visit.sources.settings.topics.topics()
    return delivery_path(topics, RecordPlace(match[1], int(match[2]), int(match[3]))) or ""
