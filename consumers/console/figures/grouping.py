"""Groups the counts of slots by endpoint, key and gateway."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from consumers.console.figures.counted import DELIVERIES, KEYS, REASONS, CounterSeries
from consumers.console.figures.figures import EndpointFigures, Figures, FigureSlot, GatewayReasons
from consumers.console.figures.spans import FigureSpan


@dataclass(frozen=True)
class SlotCounts:
    """The counts of all series in one slot; None if it was not measured."""

    begins: datetime
    counts: Mapping[CounterSeries, int] | None


def grouped(
    span: FigureSpan,
    slots: Sequence[SlotCounts],
    genuine: Mapping[str, float],
    problems: Sequence[str],
) -> Figures:
    """Return the figures of a span; `genuine` is unix time by endpoint, 0 for never."""
    sums = _sums(slots)
    gateways: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    keys: dict[str, dict[str, int]] = defaultdict(dict)
    for series, count in sums.items():
        if series[0] == REASONS:
            gateways[series[1]][series[2], series[3]] = count
        elif series[0] == KEYS:
            keys[series[1]][series[2]] = count
    by_endpoint = [_by_endpoint(slot) for slot in slots]
    names = {*genuine, *keys, *(name for each in by_endpoint for name in each or ())}
    endpoints = {
        name: EndpointFigures(
            _slots_of(name, slots, by_endpoint), keys[name], _moment(genuine.get(name, 0.0))
        )
        for name in sorted(names)
    }
    reasons = {name: GatewayReasons(counts) for name, counts in gateways.items()}
    return Figures(span, endpoints, reasons, problems)


def _sums(slots: Iterable[SlotCounts]) -> Mapping[CounterSeries, int]:
    sums: Counter[CounterSeries] = Counter()
    for slot in slots:
        sums.update(slot.counts or {})
    return sums


def _by_endpoint(slot: SlotCounts) -> Mapping[str, Mapping[str, int]] | None:
    if slot.counts is None:
        return None
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for series, count in slot.counts.items():
        if series[0] == DELIVERIES:
            found[series[1]][series[2]] = count
    return found


def _slots_of(
    name: str,
    slots: Sequence[SlotCounts],
    by_endpoint: Sequence[Mapping[str, Mapping[str, int]] | None],
) -> Sequence[FigureSlot]:
    return [
        FigureSlot(slot.begins, None if found is None else found.get(name, {}))
        for slot, found in zip(slots, by_endpoint, strict=True)
    ]


def _moment(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at > 0 else None
