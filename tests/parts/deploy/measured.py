"""Every series that Prometheus stores, derived from the processes' own metrics and the rules."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import yaml

from consumers.catalogue import declared as consumers_declared
from router.commands.actions.metrics import declared as edge_declared
from router.telemetry.catalogue import Described, catalogue
from tests.parts.deploy.promql import Measured, Series, labels, names, parse
from tests.parts.deploy.system import ROOT

RULES: Final = ROOT / "deploy" / "prometheus" / "rules"

SCRAPED: Final[Mapping[str, Sequence[str]]] = {"job": (), "instance": ()}
"""Labels that Prometheus adds, of any value."""


@cache
def measured() -> Measured:
    """Return every series by name; what a rule records has the labels of its expression."""
    found = {"up": Series("gauge", SCRAPED)}
    processes = {"edge": edge_declared(), **consumers_declared()}
    for metric in catalogue(processes):
        found |= _series(metric)
    _record(found)
    return found | {"ALERTS": Series("gauge", _alert_labels(found))}


def rules(kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind, `record` or `alert`, of all files."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return [rule for rule in found if kind in rule]


def _series(metric: Described) -> dict[str, Series]:
    own = {**SCRAPED, **metric.labels}
    if metric.kind != "histogram":
        return {metric.name: Series(metric.kind, own)}
    parts = {f"{metric.name}_{part}": Series("counter", own) for part in ("sum", "count")}
    bucket = Series("bucket", {**own, "le": metric.buckets})
    return parts | {f"{metric.name}_bucket": bucket}


def _record(found: dict[str, Series]) -> None:
    """Add what rules record, those of what other rules record included."""
    waiting = rules("record")
    while ready := [rule for rule in waiting if names(parse(rule["expr"])) <= found.keys()]:
        for rule in ready:
            own = labels(parse(rule["expr"]), found) | rule.get("labels", {}).keys()
            found[rule["record"]] = Series("gauge", dict.fromkeys(own, ()))
        waiting = [rule for rule in waiting if rule not in ready]


def _alert_labels(found: Measured) -> Mapping[str, Sequence[str]]:
    own = {"alertname", "alertstate"}
    for rule in rules("alert"):
        own |= rule["labels"].keys()
        if names(parse(rule["expr"])) <= found.keys():
            own |= labels(parse(rule["expr"]), found)
    return dict.fromkeys(own, ())
