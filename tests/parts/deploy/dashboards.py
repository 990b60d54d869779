"""The dashboards as Grafana reads them, and their queries as Grafana asks them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.deploy.system import ROOT

GRAFANA: Final = ROOT / "deploy" / "grafana"
DASHBOARDS: Final[dict[str, dict[str, Any]]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
"""By the name of the file."""

Panel = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """One question of a panel, or of an annotation, and the words its answer is shown by."""

    dashboard: str
    panel: int
    title: str
    expression: str
    legend: str

    def asked(self, interval: str = "1m") -> str:
        """Return the query that Grafana sends if every variable is set to All."""
        return as_asked(self.expression, interval)

    def __str__(self) -> str:
        """Name it so that it can be found."""
        return f"{self.dashboard} {self.panel} {self.title}"


def as_asked(expression: str, interval: str = "1m") -> str:
    """Fill in what Grafana would, with every variable at All."""
    filled = expression.replace("$__rate_interval", interval)
    return re.sub(r'"\$[a-z]\w*"', '".*"', filled)


def panels(dashboard: Panel) -> list[Panel]:
    """Return what shows something: rows do not."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """Give every question of every dashboard."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                title = f"{panel['title']} {target['refId']}"
                yield Query(name, panel["id"], title, target["expr"], target["legendFormat"])
        for note in dashboard["annotations"]["list"]:
            yield Query(name, 0, note["name"], note["expr"], note["titleFormat"])
