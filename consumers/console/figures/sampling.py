"""Samples the management ports of edges, for a console without Prometheus."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from consumers.console.figures.counted import CounterSeries, EdgeCounts, growth, read_counted
from consumers.console.figures.fetching import FetchText, fetch_text
from consumers.console.figures.figures import Figures
from consumers.console.figures.grouping import SlotCounts, grouped
from consumers.console.figures.slot_ring import SlotRing
from consumers.console.figures.spans import DAY, HOUR, FigureSpan

SAMPLE_SECONDS: Final = 15.0


class EdgeSampler:
    """Counts of edges since this process started, in bounded memory.

    The first sample of an edge has nothing to compare with: it only starts the count, except if
    the edge has just started itself.
    """

    def __init__(
        self, edges: Sequence[str], clock: Callable[[], datetime], fetch: FetchText = fetch_text
    ) -> None:
        """Sample nothing yet; `edges` are the URLs of their `/metrics`."""
        self._edges, self._clock, self._fetch = tuple(edges), clock, fetch
        self._before: dict[str, Mapping[CounterSeries, float]] = {}
        self._problems: dict[str, str] = {}
        self._genuine: dict[str, float] = {}
        self._rings = {span.name: SlotRing(span) for span in (HOUR, DAY)}

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def sample(self) -> None:
        """Sample every edge once; one that does not answer is a problem of the figures."""
        await asyncio.gather(*map(self._sample_edge, self._edges))

    async def _sample_edge(self, edge: str) -> None:
        try:
            counted = await asyncio.to_thread(read_counted, await self._fetch(edge))
        except (OSError, ValueError) as error:
            self._problems[edge] = f"the edge at {edge} was not read: {error}"
            return
        self._problems.pop(edge, None)
        self._take(edge, counted)

    def _take(self, edge: str, counted: EdgeCounts) -> None:
        now = self._clock().timestamp()
        before = self._before.get(edge, {} if _is_new(counted, now) else None)
        self._before[edge] = counted.counters
        for endpoint, at in counted.last_genuine.items():
            self._genuine[endpoint] = max(at, self._genuine.get(endpoint, 0.0))
        if before is not None:
            grown = growth(before, counted.counters)
            for ring in self._rings.values():
                ring.add(now, grown)

    async def figures(self, span: FigureSpan) -> Figures:
        """Return the figures of a span that ends now."""
        slots = [
            SlotCounts(datetime.fromtimestamp(slot * span.slot_seconds, UTC), counts)
            for slot, counts in self._rings[span.name].slots(self._clock().timestamp())
        ]
        return grouped(span, slots, self._genuine, list(self._problems.values()))


def _is_new(counted: EdgeCounts, now: float) -> bool:
    """Return whether all that an edge counted happened in the last slot, or almost."""
    return counted.started is not None and now - counted.started < HOUR.slot_seconds
