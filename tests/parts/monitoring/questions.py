"""Every question that dashboards and rules ask, and which of them Prometheus has no answer to."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.parts.deploy.system import ROOT
from tests.parts.monitoring.hurried import hurried_query, hurried_rules
from tests.parts.monitoring.prometheus import Prometheus

DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"
RULES: Final = ROOT / "deploy" / "prometheus" / "rules"

_LABEL_VALUES: Final = re.compile(r"label_values\((?P<metric>.+), *(?P<label>\w+)\)")


@dataclass(frozen=True)
class Question:
    """A query, and who asks it."""

    asked_by: str
    query: str


@dataclass(frozen=True)
class Span:
    """A time that has been."""

    start: float
    end: float
    step: float

    @property
    def seconds(self) -> int:
        """How long it was."""
        return int(self.end - self.start)


def rule_files() -> list[Path]:
    """Return the files of rules that are shipped."""
    return sorted(RULES.glob("*.yml"))


def read_rules(path: Path) -> dict[str, Any]:
    """Read a file of rules."""
    rules: dict[str, Any] = yaml.safe_load(path.read_text())
    return rules


def asked_by_rules(factor: float) -> Iterator[Question]:
    """Give the expression of every rule, recording and alerting, with time sped up."""
    for path in rule_files():
        for group in hurried_rules(read_rules(path), factor, "1ms")["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                yield Question(f"{path.name}: {name}", rule["expr"])


@dataclass(frozen=True)
class AlertRule:
    """A rule that alerts; some alerts have two, of different severity or symptom."""

    alert: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        """Name of the alert and the labels of the rule: `PayrouterParkedOld ticket`."""
        return " ".join([self.alert, *(self.labels[key] for key in sorted(self.labels))])

    def is_of(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert with these labels may be this rule's."""
        return labels["alertname"] == self.alert and self.labels.items() <= labels.items()


def alert_rules() -> list[AlertRule]:
    """Return the rules that alert, of all files."""
    groups = [group for path in rule_files() for group in read_rules(path)["groups"]]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return [AlertRule(rule["alert"], rule["labels"]) for rule in rules]


def asked_by_dashboards(factor: float, span: Span) -> Iterator[Question]:
    """Give every query of every dashboard as Grafana would ask it, with time sped up."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text())
        values = _builtin(span) | _chosen(dashboard["templating"]["list"])
        for name, query in _queries(dashboard):
            asked = _replaced(hurried_query(query, factor), values)
            yield Question(f"{path.name}: {name}", asked)


def unanswered(prometheus: Prometheus, questions: Iterable[Question], span: Span) -> Sequence[str]:
    """Name the questions to which there was no number at any step of the time."""
    return [
        f"{each.asked_by}: {each.query}"
        for each in questions
        if not any(prometheus.series(each.query, span.start, span.end, span.step))
    ]


def _queries(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in _panels(dashboard["panels"]):
        for target in panel.get("targets", ()):
            yield f"panel {panel['id']} {panel['title']} {target['refId']}", target["expr"]
    for annotation in dashboard.get("annotations", {}).get("list", ()):
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert asked is not None, variable["query"]
            query = f"count by ({asked['label']}) ({asked['metric']})"
            yield f"variable {variable['name']}", query


def _panels(panels: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        yield panel
        # A row that is folded up has its panels in it.
        yield from _panels(panel.get("panels", ()))


def _builtin(span: Span) -> dict[str, str]:
    """Return what Grafana puts in: an interval fits some scrapes, the range is all there is."""
    interval = f"{int(span.step * 1000)}ms"
    return {
        "__rate_interval": f"{int(span.step * 4000)}ms",
        "__interval": interval,
        "__range": f"{span.seconds}s",
        "__range_s": str(span.seconds),
    }


def _chosen(variables: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what is chosen of each variable: all there is, or else what is set at first."""
    return {
        each["name"]: ".*" if each["type"] == "query" else str(each["current"]["value"])
        for each in variables
        if each["type"] != "datasource"
    }


def _replaced(query: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return values[found["plain"] or found["braced"]]

    return re.sub(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>\w+)(?::\w+)?\})", value, query)
