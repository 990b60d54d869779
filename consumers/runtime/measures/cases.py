"""Metrics of open cases, read from a consumer's store by its processes and by the exporter."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry

from consumers.runtime.casebook.count import CaseCount
from consumers.runtime.cases.kind import CaseKind
from router.telemetry.declaring import MetricDeclarations

_NONE = CaseCount(0, 0.0)
_UNKNOWN = CaseCount(math.nan, math.nan)


class CaseMetrics:
    """Gauges of the open cases of one or more consumers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the gauges."""
        declare = MetricDeclarations(registry, ["consumer"])
        self.open = declare.gauge(
            "payrouter_cases_open",
            "Open cases, which need an operator: see `payrouter cases list`. A record that several"
            " consumers hold is open in each of them",
            "kind",
            "severity",
        )
        self.oldest = declare.gauge(
            "payrouter_case_oldest_age_seconds",
            "Age of the oldest open case of the kind; 0 if there is none",
            "kind",
            "severity",
        )
        self._kinds: dict[str, dict[CaseKind, None]] = {}

    def begin(self, consumer: str, kinds: Iterable[CaseKind]) -> None:
        """Register the kinds of a consumer; all values are NaN."""
        self._kinds[consumer] = dict.fromkeys(kinds)
        self.set(consumer, None)

    def set(self, consumer: str, counted: Mapping[CaseKind, CaseCount] | None) -> None:
        """Set the gauges; None sets NaN. A kind that is not declared has series once it is seen."""
        known = self._kinds.setdefault(consumer, {})
        known |= dict.fromkeys(counted or ())
        for kind in known:
            found = _UNKNOWN if counted is None else counted.get(kind, _NONE)
            labels = (consumer, kind.name, kind.severity.value)
            self.open.labels(*labels).set(found.open)
            self.oldest.labels(*labels).set(found.oldest_seconds)
