"""One endpoint: its facts, its figures of an hour and a day, its reasons, its test delivery."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.console.access.viewer import Role
from consumers.console.figures.figures import EndpointFigures, Figures
from consumers.console.figures.spans import DAY, HOUR
from consumers.console.pages.endpoints.chart import DeliveryChart, delivery_chart
from consumers.console.pages.endpoints.endpoint_list import read_figures
from consumers.console.pages.endpoints.facts import EndpointFacts, read_facts
from consumers.console.pages.endpoints.trial import NotSendable, trial_endpoint
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit
from router.terminal.typed import typed


@dataclass(frozen=True)
class SpanFigures:
    """An endpoint's figures of one span, and their chart."""

    name: str
    figures: EndpointFigures
    chart: DeliveryChart


def facts_of(visit: ConsoleVisit, name: str) -> EndpointFacts:
    """Return the facts of an endpoint; raises NotThere, also for another account's."""
    for facts in read_facts(visit.sources.settings, visit.viewer):
        if facts.name == name:
            return facts
    raise NotThere


async def show_endpoint(visit: ConsoleVisit) -> PageAnswer:
    """Show one endpoint."""
    facts = facts_of(visit, visit.part("name"))
    hour, day = await asyncio.gather(*(read_figures(visit, span) for span in (HOUR, DAY)))
    values = {
        "facts": facts,
        "deadline": duration_text(facts.deadline_seconds),
        "window": duration_text(facts.tolerance_seconds),
        "spans": [_span(facts, each) for each in (hour, day)],
        "reasons": _reasons(facts, day) if _sees_gateway(visit, facts) else None,
        "shared": _others(visit, facts),
        "keys": _keys(facts, day.of(facts.name)),
        "problems": list(dict.fromkeys([*hour.problems, *day.problems])),
        "trial": _trial(visit, facts),
        "may_try": visit.may_act(Role.OPERATOR, facts.account),
    }
    return Html("endpoints/detail.html", values, typed("payrouter endpoint url", [facts.name]))


def duration_text(seconds: float | None) -> str:
    """Return a duration in its largest whole unit, such as `27 h`; empty for None."""
    if seconds is None:
        return ""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length:g} {unit}"
    return f"{seconds:g} s"


def _span(facts: EndpointFacts, figures: Figures) -> SpanFigures:
    own = figures.of(facts.name)
    return SpanFigures(figures.span.name, own, delivery_chart(own.slots))


def _reasons(facts: EndpointFacts, figures: Figures) -> Sequence[tuple[str, str, int]]:
    known = figures.reasons(facts.provider)
    return [
        (outcome, reason, count)
        for outcome in ("quarantined", "refused", "failed")
        for reason, count in known.of(outcome).items()
    ]


def _sees_gateway(visit: ConsoleVisit, facts: EndpointFacts) -> bool:
    """Return whether every endpoint of a gateway is of an account that the viewer may see."""
    accounts, every = visit.viewer.accounts, visit.sources.settings.endpoints.values()
    own = {each.account for each in every if each.provider == facts.provider}
    return accounts is None or own <= accounts


def _others(visit: ConsoleVisit, facts: EndpointFacts) -> bool:
    """Return whether the gateway has other endpoints, whose reasons are counted together."""
    every = visit.sources.settings.endpoints.values()
    return sum(each.provider == facts.provider for each in every) > 1


def _keys(facts: EndpointFacts, figures: EndpointFigures) -> Mapping[str, int | None]:
    """Return genuine deliveries by key; None if nothing was measured."""
    used = figures.keys if figures.measured else {}
    known = {key: used.get(key, 0) if figures.measured else None for key in facts.keys}
    return known | {key: count for key, count in used.items() if count}


def _trial(visit: ConsoleVisit, facts: EndpointFacts) -> str:
    """Return why no test delivery can be sent, empty if one can."""
    try:
        trial_endpoint(visit.sources.settings, facts.name)
    except NotSendable as why:
        return visit.text(why.obstacle, **why.values)
    return ""
