"""The one way to declare the metrics of a process."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from router.telemetry.plain_metrics import (
    PlainCount,
    PlainDistribution,
    PlainMetric,
    plain_counter,
    plain_histogram,
)


@dataclass(frozen=True)
class MetricDeclarations:
    """Declares metrics in a registry; every metric has the labels `common` first."""

    registry: CollectorRegistry
    common: Sequence[str] = ()

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """Declare a counter; Prometheus adds `_total` to its name."""
        return Counter(name, meaning, [*self.common, *labels], registry=self.registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """Declare a gauge."""
        return Gauge(name, meaning, [*self.common, *labels], registry=self.registry)

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: Sequence[float]
    ) -> Histogram:
        """Declare a histogram; `buckets` are the upper bounds, without infinity."""
        names = [*self.common, *labels]
        return Histogram(name, meaning, names, buckets=buckets, registry=self.registry)

    def plain_counter(self, name: str, meaning: str, *labels: str) -> PlainMetric[PlainCount]:
        """Declare a counter that only the event loop updates, for every delivery."""
        return plain_counter(self.registry, name, meaning, [*self.common, *labels])

    def plain_histogram(
        self, name: str, meaning: str, *labels: str, buckets: Sequence[float]
    ) -> PlainMetric[PlainDistribution]:
        """Declare a histogram that only the event loop updates, for every delivery."""
        return plain_histogram(self.registry, name, meaning, [*self.common, *labels], buckets)
