"""Renders `/metrics` in short steps, so that a scrape does not block the event loop.

Rendering in a thread would not help, since the thread holds the GIL while it renders.
"""

import asyncio
import copy
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Sample

from router.telemetry.plain_metrics import PlainMetric

PIECE_SAMPLES = 32
"""Maximum number of samples in a piece: about half a millisecond of CPU."""

_OPENMETRICS_ONLY = ("_created", "_gsum", "_gcount")


@dataclass(frozen=True)
class RenderPace:
    """Durations of the slices of a render and of the pauses between them."""

    slice_seconds: float = 0.001
    """Thread CPU time after which rendering pauses, once the current piece is complete."""
    pause_seconds: float = 0.009
    """Nine times a slice: rendering takes about a tenth of the loop's time."""
    longest_slice_seconds: float = 0.002
    """Maximum slice after a pause that took longer than intended."""


class SharedRender:
    """Runs a render once for all who ask for its result while it runs.

    So the number of scrapers does not change what rendering costs.
    """

    def __init__(self, render: Callable[[], Coroutine[Any, Any, bytes]]) -> None:
        """Render nothing until the first request."""
        self._render = render
        self._running: asyncio.Task[bytes] | None = None

    async def latest(self) -> bytes:
        """Return the result of the render that runs, or of a new one."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        # A scraper that disconnects must not cancel the render for the others.
        return await asyncio.shield(self._running)

    async def _run(self) -> bytes:
        try:
            return await self._render()
        finally:
            self._running = None


Pieces = Callable[[CollectorRegistry], Iterator[bytes]]
"""Renders a registry, piece by piece."""


class Exposition:
    """The metrics of one registry, rendered in slices: by default the text of `/metrics`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        pace: RenderPace | None = None,
        render: Pieces | None = None,
    ) -> None:
        """Render nothing until the first scrape."""
        self._registry = registry
        self._pace = pace or RenderPace()
        self._pieces = render or pieces
        self._shared = SharedRender(self._rendered)

    async def latest(self) -> bytes:
        """Return the text, identical to `generate_latest` of prometheus_client.

        All samples of one labelled metric object are read at once; other objects may change
        between two slices.
        """
        return await self._shared.latest()

    async def _rendered(self) -> bytes:
        done: list[bytes] = []
        started, budget = time.thread_time(), self._pace.slice_seconds
        for piece in self._pieces(self._registry):
            done.append(piece)
            if time.thread_time() - started >= budget:
                budget = await _pause(self._pace)
                started = time.thread_time()
        return b"".join(done)


async def _pause(pace: RenderPace) -> float:
    """Let other tasks run; return the CPU time, in seconds, of the next slice.

    On a busy loop the pause takes longer. The next slice is then longer too, so that the render
    still finishes before the scraper's time-out.
    """
    paused = time.perf_counter()
    await asyncio.sleep(pace.pause_seconds)
    late = (time.perf_counter() - paused) / pace.pause_seconds
    return min(pace.slice_seconds * late, pace.longest_slice_seconds)


def pieces(registry: CollectorRegistry) -> Iterator[bytes]:
    """Yield the text of a registry in pieces of at most `PIECE_SAMPLES` samples."""
    for family, samples in families(registry):
        yield from _family(family, samples)


def families(registry: CollectorRegistry) -> Iterator[tuple[Metric, Iterator[Sample]]]:
    """Yield the families of a registry, each with its samples, which are read one by one.

    A collector that is neither a metric object of prometheus_client nor a `PlainMetric` builds each
    family in one step.
    """
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - not listed publicly
        if isinstance(collector, MetricWrapperBase) and collector._labelnames:  # noqa: SLF001
            (family,) = collector.describe()
            yield family, _labelled(collector)
        elif isinstance(collector, PlainMetric):
            (family,) = collector.describe()
            yield family, collector.samples()
        else:
            for family in collector.collect():
                yield family, iter(family.samples)


def _labelled(metric: MetricWrapperBase) -> Iterator[Sample]:
    """Read the labelled children one by one; the metric's own `collect` reads all at once."""
    part: Any = copy.copy(metric)
    for labels, child in list(metric._metrics.items()):  # noqa: SLF001 - no public way
        part._metrics = {labels: child}  # noqa: SLF001 - as above
        for family in part.collect():
            yield from family.samples


def _family(family: Metric, samples: Iterator[Sample]) -> Iterator[bytes]:
    heading = _encoded(family, [])
    yield heading
    last: list[Sample] = []
    special = {family.name + suffix for suffix in _OPENMETRICS_ONLY}
    while chunk := list(islice(samples, PIECE_SAMPLES)):
        last += [sample for sample in chunk if sample.name in special]
        plain = [sample for sample in chunk if sample.name not in special]
        yield _encoded(family, plain).removeprefix(heading)
    if last:
        # They follow at the end, under separate headings. None of our metrics has them.
        yield _encoded(family, last).removeprefix(heading)


def _encoded(family: Metric, samples: list[Sample]) -> bytes:
    part = Metric(family.name, family.documentation, family.type)
    part.samples = samples
    return generate_latest(_OneFamily(part))


class _OneFamily:
    """A registry of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        """Return the family."""
        return [self._family]
