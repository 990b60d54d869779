"""Figures of endpoints over a span. Unknown is None, and never zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from consumers.console.figures.spans import FigureSpan

OUTCOMES: Final = ("accepted", "quarantined", "ignored", "refused", "failed")
"""Outcomes of deliveries, as in the metric `payrouter_deliveries_total`."""


@dataclass(frozen=True)
class FigureSlot:
    """Deliveries in one slot by outcome; `counts` is None if it was not measured."""

    begins: datetime
    counts: Mapping[str, int] | None


@dataclass(frozen=True)
class EndpointFigures:
    """What edges counted for one endpoint.

    `keys` are genuine deliveries by the fingerprint of the key that matched. `last_genuine` is
    None if no genuine delivery is known.
    """

    slots: Sequence[FigureSlot] = ()
    keys: Mapping[str, int] = field(default_factory=dict)
    last_genuine: datetime | None = None

    @property
    def totals(self) -> Mapping[str, int]:
        """Deliveries in the whole span, by outcome."""
        known = [slot.counts for slot in self.slots if slot.counts is not None]
        return {outcome: sum(each.get(outcome, 0) for each in known) for outcome in OUTCOMES}

    @property
    def measured(self) -> bool:
        """Whether any slot of the span was measured."""
        return any(slot.counts is not None for slot in self.slots)


@dataclass(frozen=True)
class GatewayReasons:
    """Deliveries of one gateway that were not accepted: by outcome and reason.

    Edges count reasons for each gateway, not for each endpoint.
    """

    counts: Mapping[tuple[str, str], int]

    def of(self, outcome: str) -> Mapping[str, int]:
        """Return the counts of one outcome, the largest first, without zeros."""
        found = {reason: n for (kind, reason), n in self.counts.items() if kind == outcome and n}
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


@dataclass(frozen=True)
class Figures:
    """Figures of all endpoints over a span.

    `problems` are sentences about what could not be read: the figures are then too low.
    """

    span: FigureSpan
    endpoints: Mapping[str, EndpointFigures] = field(default_factory=dict)
    gateways: Mapping[str, GatewayReasons] = field(default_factory=dict)
    problems: Sequence[str] = ()

    def of(self, endpoint: str) -> EndpointFigures:
        """Return the figures of one endpoint, which may be unknown."""
        return self.endpoints.get(endpoint, EndpointFigures())

    def reasons(self, gateway: str) -> GatewayReasons:
        """Return the reasons of one gateway."""
        return self.gateways.get(gateway, GatewayReasons({}))


class FigureSource(Protocol):
    """Answers what was measured; raises nothing: what it cannot read is one of the problems."""

    async def figures(self, span: FigureSpan) -> Figures:
        """Return the figures of a span that ends now."""
        ...

    async def run(self) -> None:
        """Do the work of the source in the background, if it has any, until cancelled."""
        ...


class NoFigures:
    """The source if neither edges nor Prometheus are configured."""

    async def figures(self, span: FigureSpan) -> Figures:
        """Return no figures, and how to get some."""
        hint = "no figures: set edges or prometheus_url under [console]"
        return Figures(span, problems=[hint])

    async def run(self) -> None:
        """Do nothing."""
