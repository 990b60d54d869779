"""The metric of log lines that were not written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily


@dataclass(frozen=True)
class DroppedLines:
    """A collector of prometheus_client; `count` returns the dropped lines by reason."""

    count: Callable[[], Mapping[str, int]]

    def describe(self) -> Sequence[CounterMetricFamily]:
        """Return the description alone, which the registry needs."""
        return [
            CounterMetricFamily(
                "payrouter_log_lines_dropped",
                "Log lines that were not written. full: the reader of standard error did not read,"
                " and too many lines waited; failed: standard error had an error, such as a full"
                " disk",
                labels=["reason"],
            )
        ]

    def collect(self) -> Sequence[CounterMetricFamily]:
        """Return the current numbers."""
        (family,) = self.describe()
        for reason, count in self.count().items():
            family.add_metric([reason], count)
        return [family]
