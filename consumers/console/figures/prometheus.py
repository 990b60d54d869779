"""Reads figures from a Prometheus that scrapes the edges."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from consumers.console.figures.counted import LABELS, LAST_GENUINE, CounterSeries
from consumers.console.figures.fetching import FetchText, fetch_text
from consumers.console.figures.figures import Figures
from consumers.console.figures.grouping import SlotCounts, grouped
from consumers.console.figures.spans import FigureSpan

_GENUINE: Final = f"max by (endpoint) (max_over_time({LAST_GENUINE}[7d]))"
"""An edge reports 0 after its start: the week before knows better."""


@dataclass(frozen=True)
class PrometheusFigures:
    """Figures from the HTTP API of Prometheus.

    Its increases are extrapolated from scrapes, so counts may differ by a few from those of edges.
    """

    url: str
    clock: Callable[[], datetime]
    fetch: FetchText = fetch_text

    async def figures(self, span: FigureSpan) -> Figures:
        """Return the figures of a span that ends now, or the problem why they are unknown."""
        try:
            genuine, *found = await asyncio.gather(
                self._query(_GENUINE), *(self._increases(name, span) for name in LABELS)
            )
        except (OSError, ValueError) as error:
            return Figures(span, problems=[f"Prometheus at {self.url} was not read: {error}"])
        counts: dict[int, dict[CounterSeries, int]] = {}
        for (name, labels), results in zip(LABELS.items(), found, strict=True):
            _add_results(counts, name, labels, results, span)
        slots = list(self._slots(span, counts))
        return grouped(span, slots, _last_genuine(genuine), ())

    async def run(self) -> None:
        """Do nothing: Prometheus measures."""

    def _slots(
        self, span: FigureSpan, counts: Mapping[int, Mapping[CounterSeries, int]]
    ) -> Sequence[SlotCounts]:
        first = span.first_slot(self.clock().timestamp())
        return [
            SlotCounts(datetime.fromtimestamp(slot * span.slot_seconds, UTC), counts.get(slot))
            for slot in range(first, first + span.slots)
        ]

    async def _increases(self, name: str, span: FigureSpan) -> Sequence[Mapping[str, Any]]:
        labels = ", ".join(LABELS[name])
        first = span.first_slot(self.clock().timestamp())
        return await self._asked(
            "query_range",
            query=f"sum by ({labels}) (increase({name}[{span.slot_seconds}s]))",
            # The value at the end of a slot is the increase in that slot.
            start=str((first + 1) * span.slot_seconds),
            end=str((first + span.slots) * span.slot_seconds),
            step=str(span.slot_seconds),
        )

    async def _query(self, query: str) -> Sequence[Mapping[str, Any]]:
        return await self._asked("query", query=query)

    async def _asked(self, what: str, **parameters: str) -> Sequence[Mapping[str, Any]]:
        text = await self.fetch(f"{self.url}/api/v1/{what}?{urlencode(parameters)}")
        answer = json.loads(text)
        try:
            results: Sequence[Mapping[str, Any]] = answer["data"]["result"]
        except (KeyError, TypeError):
            message = "not an answer of its HTTP API"
            raise ValueError(message) from None
        return results


def _add_results(
    counts: dict[int, dict[CounterSeries, int]],
    name: str,
    labels: Sequence[str],
    results: Sequence[Mapping[str, Any]],
    span: FigureSpan,
) -> None:
    for result in results:
        series = (name, *(str(result["metric"].get(label, "")) for label in labels))
        for at, value in result["values"]:
            number = float(value)
            slot = int(float(at) // span.slot_seconds) - 1
            if not math.isnan(number):
                counts.setdefault(slot, {})[series] = round(number)


def _last_genuine(results: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    return {
        str(result["metric"].get("endpoint", "")): float(result["value"][1]) for result in results
    }
