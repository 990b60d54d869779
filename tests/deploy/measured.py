"""Every series that Prometheus can be asked for, out of the processes' own metrics and rules."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import yaml
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase

from consumers.runtime.discovery import discover
from consumers.runtime.metrics import ConsumerMetrics
from router.metrics import EdgeMetrics
from router.telemetry.management import process_registry
from tests.deploy.promql import Measured, Series, labels, names, parse
from tests.deploy.system import ROOT

RULES: Final = ROOT / "deploy" / "prometheus" / "rules"

SCRAPED: Final = frozenset({"job", "instance"})
"""Labels that Prometheus adds."""


@cache
def measured() -> Measured:
    """Return every series by name; what a rule records has the labels of its expression."""
    found = {"up": Series("gauge", SCRAPED)}
    for registry in _registries():
        for family, own in _families(registry):
            found |= _series(family, SCRAPED | set(own))
    for service in discover().values():
        found |= {measure.name: Series("gauge", SCRAPED) for measure in service.measures}
    _record(found)
    return found | {"ALERTS": Series("gauge", _alert_labels(found))}


def rules(kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind, `record` or `alert`, of all files."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return [rule for rule in found if kind in rule]


def _registries() -> Iterator[CollectorRegistry]:
    """Make the registry of each process as that process does."""
    edge = process_registry()
    EdgeMetrics(edge)
    yield edge
    consumer = process_registry()
    ConsumerMetrics(consumer, consumer="ledger")
    yield consumer


def _families(registry: CollectorRegistry) -> Iterator[tuple[Metric, Sequence[str]]]:
    """Give each metric and its labels, which the client tells nowhere but in its private parts."""
    for collector in registry._collector_to_names:  # noqa: SLF001
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            yield family, collector._labelnames  # noqa: SLF001
        else:
            for family in collector.collect():
                yield family, getattr(family, "_labelnames", ())


def _series(family: Metric, own: frozenset[str]) -> dict[str, Series]:
    if family.type == "counter":
        return {f"{family.name}_total": Series("counter", own)}
    if family.type == "histogram":
        parts = {f"{family.name}_{part}": Series("counter", own) for part in ("sum", "count")}
        return parts | {f"{family.name}_bucket": Series("bucket", own | {"le"})}
    return {family.name: Series(family.type, own)}


def _record(found: dict[str, Series]) -> None:
    """Add what rules record, those of what other rules record included."""
    waiting = rules("record")
    while ready := [rule for rule in waiting if names(parse(rule["expr"])) <= found.keys()]:
        for rule in ready:
            own = labels(parse(rule["expr"]), found) | rule.get("labels", {}).keys()
            found[rule["record"]] = Series("gauge", own)
        waiting = [rule for rule in waiting if rule not in ready]


def _alert_labels(found: Measured) -> frozenset[str]:
    own = {"alertname", "alertstate"}
    for rule in rules("alert"):
        own |= rule["labels"].keys()
        if names(parse(rule["expr"])) <= found.keys():
            own |= labels(parse(rule["expr"]), found)
    return frozenset(own)
