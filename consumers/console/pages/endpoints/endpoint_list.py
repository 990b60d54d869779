"""The list of endpoints: what each is, and what it received in the last hour or day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumers.console.figures.figures import EndpointFigures, Figures
from consumers.console.figures.spans import HOUR, SPANS, FigureSpan
from consumers.console.listing.cursors import cursor_of, read_cursor
from consumers.console.listing.listing import (
    ListColumn,
    ListedRows,
    ListFilter,
    Listing,
    ListQuestion,
)
from consumers.console.pages.endpoints.chart import DeliveryChart, delivery_chart
from consumers.console.pages.endpoints.facts import EndpointFacts, read_facts
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from router.terminal.typed import typed

_SPAN: Final = "span"


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint with its figures."""

    facts: EndpointFacts
    figures: EndpointFigures

    @property
    def chart(self) -> DeliveryChart:
        """The chart of its deliveries."""
        return delivery_chart(self.figures.slots)

    def count(self, outcome: str) -> int | None:
        """Return the deliveries with an outcome, None if the span was not measured."""
        return self.figures.totals[outcome] if self.figures.measured else None

    @property
    def last_genuine(self) -> datetime | None:
        """When the last genuine delivery arrived."""
        return self.figures.last_genuine


def span_of(filters: Mapping[str, str]) -> FigureSpan:
    """Return the span that the URL names, by default an hour; raises WrongInput."""
    name = filters.get(_SPAN, HOUR.name)
    if name not in SPANS:
        raise WrongInput(_SPAN, " / ".join(SPANS))
    return SPANS[name]


async def read_figures(visit: ConsoleVisit, span: FigureSpan) -> Figures:
    """Return the figures of a span."""
    return await visit.sources.figures.figures(span)


async def _read(visit: ConsoleVisit, question: ListQuestion) -> ListedRows[EndpointRow]:
    figures = await read_figures(visit, span_of(question.filters))
    after = read_cursor(question.after, [str])[0] if question.after else ""
    found = [
        EndpointRow(facts, figures.of(facts.name))
        for facts in read_facts(visit.sources.settings, visit.viewer)
        if facts.name > after and _is_wanted(facts, question.filters)
    ]
    rows = found[: question.limit]
    more = cursor_of(rows[-1].facts.name) if len(found) > len(rows) else None
    return ListedRows(rows, more, " ".join(figures.problems))


def _is_wanted(facts: EndpointFacts, filters: Mapping[str, str]) -> bool:
    own = {"account": facts.account, "provider": facts.provider, "mode": facts.mode}
    return all(filters.get(name, value) == value for name, value in own.items())


def _accounts(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    known = read_facts(visit.sources.settings, visit.viewer)
    return [(name, name) for name in sorted({facts.account for facts in known})]


def _providers(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    known = read_facts(visit.sources.settings, visit.viewer)
    return [(name, name) for name in sorted({facts.provider for facts in known})]


def _modes(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(mode, visit.text(f"endpoints.mode.{mode}")) for mode in ("live", "test")]


def _spans(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(name, visit.text(f"endpoints.span.{name}")) for name in SPANS]


def _column(outcome: str) -> ListColumn[EndpointRow]:
    return ListColumn(
        outcome,
        f"endpoints.outcome.{outcome}",
        lambda _, row: row.count(outcome),
        f"count_{outcome}",
        numeric=True,
    )


ENDPOINTS: Final = Listing[EndpointRow](
    name="endpoints",
    title="endpoints.title",
    columns=(
        ListColumn("endpoint", "endpoints.name", lambda _, row: row.facts.name, "name"),
        ListColumn(
            "last_genuine", "endpoints.last_genuine", lambda _, row: row.last_genuine, "genuine"
        ),
        *(_column(name) for name in ("accepted", "quarantined", "refused", "failed")),
        ListColumn("account", "endpoints.account", lambda _, row: row.facts.account),
        ListColumn("mode", "endpoints.mode.heading", lambda _, row: row.facts.mode, "mode"),
        ListColumn("gateway", "endpoints.gateway", lambda _, row: row.facts.provider),
        ListColumn("url", "endpoints.url", lambda _, row: row.facts.url, "url"),
        ListColumn("keys", "endpoints.keys", lambda _, row: " ".join(row.facts.keys), "keys"),
    ),
    read=_read,
    command=lambda _visit, _filters: typed("payrouter config show"),
    filters=(
        ListFilter(_SPAN, "endpoints.span.heading", "choice", _spans),
        ListFilter("account", "endpoints.account", "choice", _accounts),
        ListFilter("provider", "endpoints.gateway", "choice", _providers),
        ListFilter("mode", "endpoints.mode.heading", "choice", _modes),
    ),
    macros="endpoints/cells.html",
    live=True,
)
