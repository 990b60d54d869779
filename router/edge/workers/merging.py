"""Adds up the metrics of the parent, of its workers, and of workers that have ended."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from router.edge.outcomes import UNKNOWN
from router.edge.workers.gauge_rules import GAUGE_RULES, NEWEST_BY, GaugeRule
from router.telemetry.snapshot import FamilySnapshot, Snapshot

ADDED: Final = frozenset({"counter", "histogram"})
"""Types of metrics that only rise, and whose values are added."""

_Series = tuple[str, tuple[tuple[str, str], ...]]
_Values = dict[_Series, dict[int, float]]
"""The values of each series, by the index of their source."""


class NoRule(Exception):  # noqa: N818 - names what it is
    """A metric without a rule for its values in several processes."""


def merged(sources: Sequence[Snapshot]) -> Snapshot:
    """Return one snapshot of all; the first is the parent's. Raises NoRule."""
    families: dict[str, dict[int, FamilySnapshot]] = {}
    for index, source in enumerate(sources):
        for family in source:
            families.setdefault(family.name, {})[index] = family
    newest = _newest(families.get(NEWEST_BY, {}))
    return [_together(found, newest) for found in families.values()]


def totals(sources: Sequence[Snapshot]) -> Snapshot:
    """Return the sums of what only rises: what remains of workers that have ended."""
    return merged([[family for family in source if family.kind in ADDED] for source in sources])


def still_exported(snapshot: Snapshot, providers: Mapping[str, str]) -> Snapshot:
    """Leave out the series of endpoints that are no longer configured, as a worker does.

    `providers` has the name of the provider of each endpoint.
    """

    def belongs(labels: Mapping[str, str]) -> bool:
        endpoint = labels.get("endpoint", UNKNOWN)
        if endpoint == UNKNOWN:
            return True
        provider = providers.get(endpoint)
        return provider is not None and labels.get("provider", provider) == provider

    return [
        FamilySnapshot(
            family.name,
            family.kind,
            family.meaning,
            [sample for sample in family.samples if belongs(sample[1])],
        )
        for family in snapshot
    ]


def _together(found: Mapping[int, FamilySnapshot], newest: Mapping[_Series, int]) -> FamilySnapshot:
    family = next(iter(found.values()))
    values = _values(found)
    samples: Iterable[tuple[_Series, float]]
    if family.kind in ADDED:
        samples = ((series, math.fsum(each.values())) for series, each in values.items())
    else:
        samples = _gauges(family, values, newest)
    named = [(name, dict(labels), value) for (name, labels), value in samples]
    return FamilySnapshot(family.name, family.kind, family.meaning, named)


def _values(found: Mapping[int, FamilySnapshot]) -> _Values:
    values: _Values = {}
    for index, family in found.items():
        for name, labels, value in family.samples:
            values.setdefault((name, tuple(labels.items())), {})[index] = value
    return values


def _gauges(
    family: FamilySnapshot, values: _Values, newest: Mapping[_Series, int]
) -> Iterator[tuple[_Series, float]]:
    rule = GAUGE_RULES.get(family.name)
    if rule is None or family.kind != "gauge":
        message = f"{family.name} ({family.kind}) has no rule in router.edge.workers.gauge_rules"
        raise NoRule(message)
    for series, each in values.items():
        if rule is GaugeRule.PARENT:
            if 0 in each:
                yield series, each[0]
        elif rule is GaugeRule.NEWEST:
            yield series, each.get(newest.get((NEWEST_BY, series[1]), -1), math.nan)
        else:
            yield series, _one(rule, each.values())


def _one(rule: GaugeRule, values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan
    if rule is GaugeRule.SUM:
        return math.fsum(known)
    return max(known) if rule is GaugeRule.HIGHEST else min(known)


def _newest(found: Mapping[int, FamilySnapshot]) -> Mapping[_Series, int]:
    """Return the source with the highest value of each series."""
    return {
        series: max(each, key=lambda index: each[index]) for series, each in _values(found).items()
    }
