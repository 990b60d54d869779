"""Counters and histograms for code that runs for every delivery: plain numbers, without locks.

Updating a metric object of prometheus_client takes about a microsecond: it has a lock, and a
histogram compares its buckets one by one. Here an update changes one or two numbers, and the
samples are made at the scrape. Text and names are those of the client library.

Only the thread of the event loop may update them.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString


class Series(Protocol):
    """One series of a counter, or the series of one histogram."""

    def samples(self, name: str, labels: Mapping[str, str]) -> Sequence[Sample]:
        """Return the current samples, without those of the creation time."""


class PlainCount:
    """A counter's value for one set of labels."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Start at zero."""
        self.value = 0

    def inc(self) -> None:
        """Add one."""
        self.value += 1

    def samples(self, name: str, labels: Mapping[str, str]) -> Sequence[Sample]:
        """Return the one sample."""
        return (Sample(f"{name}_total", dict(labels), float(self.value)),)


class PlainDistribution:
    """A histogram for one set of labels: a count for each bucket, and the sum."""

    __slots__ = ("_bounds", "_counts", "_names", "_sum")

    def __init__(self, bounds: Sequence[float], names: Sequence[str]) -> None:
        """Start empty; `bounds` rise and end with infinity, `names` are their labels."""
        self._bounds, self._names = bounds, names
        self._counts = [0] * len(bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value in the bucket with the lowest bound that is not below it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self, name: str, labels: Mapping[str, str]) -> Sequence[Sample]:
        """Return the cumulative buckets, the count and the sum."""
        up_to = [float(count) for count in accumulate(self._counts)]
        buckets = (
            Sample(f"{name}_bucket", {**labels, "le": bound}, count)
            for bound, count in zip(self._names, up_to, strict=True)
        )
        return (
            *buckets,
            Sample(f"{name}_count", dict(labels), up_to[-1]),
            Sample(f"{name}_sum", dict(labels), self._sum),
        )


S = TypeVar("S", bound=Series)


@dataclass(frozen=True, eq=False)
class PlainMetric(Generic[S]):
    """A metric with labels, as a collector of prometheus_client; its series are made once."""

    family: Callable[[], Metric]
    """Makes the metric's description, without samples."""
    name: str
    labelnames: tuple[str, ...]
    make: Callable[[], S]
    _series: dict[tuple[str, ...], S]

    def labels(self, *values: str) -> S:
        """Return the series with these values of the labels; create it at zero if it is new."""
        if len(values) != len(self.labelnames):
            message = f"{self.name} has the labels {', '.join(self.labelnames)}, not {values}"
            raise ValueError(message)
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = self.make()
        return series

    def remove(self, label: str, value: str) -> None:
        """Stop exporting the series in which a label has this value; they remain usable."""
        at = self.labelnames.index(label)
        for values in [each for each in self._series if each[at] == value]:
            del self._series[values]

    def describe(self) -> Sequence[Metric]:
        """Return the description alone, which the registry needs."""
        return [self.family()]

    def collect(self) -> Sequence[Metric]:
        """Return all current samples."""
        family = self.family()
        family.samples = list(self.samples())
        return [family]

    def samples(self) -> Iterator[Sample]:
        """Read the samples, those of one series at once."""
        for values, series in list(self._series.items()):
            yield from series.samples(self.name, dict(zip(self.labelnames, values, strict=True)))


def _text(bound: float) -> str:
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call] # not typed there
    return text


def plain_counter(
    registry: CollectorRegistry, name: str, meaning: str, labels: Sequence[str]
) -> PlainMetric[PlainCount]:
    """Declare a counter; Prometheus adds `_total` to its name."""
    names = tuple(labels)
    metric = PlainMetric(
        lambda: CounterMetricFamily(name, meaning, labels=names), name, names, PlainCount, {}
    )
    registry.register(metric)
    return metric


def plain_histogram(
    registry: CollectorRegistry,
    name: str,
    meaning: str,
    labels: Sequence[str],
    buckets: Sequence[float],
) -> PlainMetric[PlainDistribution]:
    """Declare a histogram; `buckets` are the upper bounds, without infinity."""
    names, bounds = tuple(labels), [*map(float, buckets), inf]
    texts = [_text(bound) for bound in bounds]
    metric = PlainMetric(
        lambda: HistogramMetricFamily(name, meaning, labels=names),
        name,
        names,
        lambda: PlainDistribution(bounds, texts),
        {},
    )
    registry.register(metric)
    return metric
