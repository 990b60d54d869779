"""Reads from the text of `/metrics` what an edge has counted since its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

CounterSeries = tuple[str, ...]
"""Name of a counter and the values of its labels in `_LABELS`."""

DELIVERIES: Final = "payrouter_deliveries_total"
KEYS: Final = "payrouter_key_used_total"
REASONS: Final = "payrouter_delivery_reasons_total"
LAST_GENUINE: Final = "payrouter_last_genuine_delivery_timestamp_seconds"

LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    DELIVERIES: ("endpoint", "outcome"),
    KEYS: ("endpoint", "key"),
    REASONS: ("provider", "outcome", "reason"),
}
"""Labels that distinguish the series of each counter that figures are made of."""

STARTED: Final = "process_start_time_seconds"

_WANTED: Final = (*(f"{name}{{" for name in (*LABELS, LAST_GENUINE)), f"{STARTED} ")


@dataclass(frozen=True)
class EdgeCounts:
    """Counters of one edge, and by endpoint when the last genuine delivery arrived.

    Moments are unix time; `started` is None if it is not known when the edge started.
    """

    counters: Mapping[CounterSeries, float]
    last_genuine: Mapping[str, float]
    started: float | None = None


def read_counted(text: str) -> EdgeCounts:
    """Parse the text of `/metrics`; raises ValueError if it is not one."""
    counters: dict[CounterSeries, float] = {}
    genuine: dict[str, float] = {}
    started: float | None = None
    # An edge with many endpoints has thousands of other lines, which would cost more than these.
    lines = "\n".join(line for line in text.split("\n") if line.startswith(_WANTED))
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            if sample.name == LAST_GENUINE:
                genuine[sample.labels["endpoint"]] = sample.value
            elif sample.name == STARTED:
                started = sample.value
            else:
                values = [sample.labels[label] for label in LABELS[sample.name]]
                counters[sample.name, *values] = sample.value
    if not counters:
        message = "no metric of an edge"
        raise ValueError(message)
    return EdgeCounts(counters, genuine, started)


def growth(
    before: Mapping[CounterSeries, float], now: Mapping[CounterSeries, float]
) -> dict[CounterSeries, int]:
    """Return by how much each counter grew, without zeros.

    A counter that is smaller than before began again at zero: its edge was restarted.
    """
    grown = {}
    for series, value in now.items():
        earlier = before.get(series, 0.0)
        by = value - earlier if value >= earlier else value
        if by > 0:
            grown[series] = round(by)
    return grown
