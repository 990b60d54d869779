"""The dashboard and its provisioning: what it asks for is what the processes measure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Final

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from promql_parser import AggregateExpr, BinaryExpr, Call, Expr, MatrixSelector, VectorSelector

from consumers.runtime.discovery import discover
from consumers.runtime.exporter_metrics import ExporterMetrics, PictureCollector
from consumers.runtime.exporter_picture import Picture
from consumers.runtime.metrics import ConsumerMetrics
from router.metrics import EdgeMetrics
from tests.deploy.system import PROMETHEUS, ROOT, SERVICES

GRAFANA: Final = ROOT / "deploy" / "grafana"
DASHBOARD: Final[dict[str, Any]] = json.loads(
    (GRAFANA / "dashboards" / "payrouter-overview.json").read_text()
)
PANELS: Final[list[dict[str, Any]]] = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
TITLES: Final = [panel["title"] for panel in PANELS]

SCRAPED: Final = frozenset({"job", "instance"})
"""Labels that Prometheus adds."""


@dataclass(frozen=True)
class Series:
    """What can be asked for under one name."""

    kind: str
    labels: frozenset[str]


@cache
def _measured() -> dict[str, Series]:
    """Return every series by name, out of the metrics as the processes make them."""
    registry = CollectorRegistry()
    consumer = ConsumerMetrics(registry, consumer="ledger")
    exporter = ExporterMetrics(CollectorRegistry(), ["broker"])
    made = [EdgeMetrics(registry), consumer, consumer.waiting, exporter]
    measured = {
        "up": Series("gauge", SCRAPED),
        "payrouter_build_info": Series("gauge", SCRAPED | {"version"}),
    }
    for value in (value for metrics in made for value in vars(metrics).values()):
        if isinstance(value, MetricWrapperBase):
            measured |= _series(value)
    for family in PictureCollector(Picture({})).describe():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        measured[name] = Series(family.type, SCRAPED | set(family._labelnames))  # noqa: SLF001
    for measure in (m for service in discover().values() for m in service.measures):
        own = frozenset({measure.label} if measure.label else ())
        measured[measure.name] = Series("gauge", SCRAPED | own)
    return measured


def _series(metric: MetricWrapperBase) -> dict[str, Series]:
    (family,) = metric.describe()
    labels = SCRAPED | set(metric._labelnames)  # noqa: SLF001 - the client tells them nowhere else
    if family.type == "counter":
        return {f"{family.name}_total": Series("counter", labels)}
    if family.type == "histogram":
        parts = {f"{family.name}_{part}": Series("counter", labels) for part in ("sum", "count")}
        return parts | {f"{family.name}_bucket": Series("bucket", labels | {"le"})}
    return {family.name: Series(family.type, labels)}


def _parse(query: str) -> Expr:
    return promql_parser.parse(query.replace("$__rate_interval", "1m"))


def _parts(expression: Expr) -> list[Expr]:
    found: list[Expr] = []
    promql_parser.walk(expression, found.append)
    return found


def _selectors(expression: Expr) -> list[VectorSelector]:
    parts = _parts(expression)
    ranges = [part.vector_selector for part in parts if isinstance(part, MatrixSelector)]
    return [*ranges, *(part for part in parts if isinstance(part, VectorSelector))]


def _labels(expression: Expr) -> frozenset[str]:
    """Labels that the result of an expression can carry."""
    match expression:
        case VectorSelector(name=name):
            return _measured()[str(name)].labels
        case MatrixSelector(vector_selector=selector):
            return _labels(selector)
        case AggregateExpr(modifier=modifier):
            return frozenset(modifier.labels) if modifier else frozenset()
        case Call(func=function, args=arguments):
            labels = frozenset[str]().union(*map(_labels, arguments))
            return labels - {"le"} if function.name == "histogram_quantile" else labels
        case BinaryExpr(lhs=left, rhs=right):
            return _labels(left) | _labels(right)
    inner = getattr(expression, "expr", None)
    return _labels(inner) if isinstance(inner, Expr) else frozenset()


def _targets() -> Iterator[tuple[str, str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"], target["legendFormat"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"], annotation["titleFormat"]


QUERIES: Final = [pytest.param(expr, legend, id=name) for name, expr, legend in _targets()]


# --- the questions ---------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "legend"), QUERIES)
def test_query_asks_for_series_that_are_measured_by_labels_they_have(
    query: str, legend: str
) -> None:
    expression = _parse(query)

    assert _selectors(expression)
    for selector in _selectors(expression):
        assert selector.name in _measured(), legend
        labels = _measured()[selector.name].labels
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels, selector.name


@pytest.mark.parametrize(("query", "legend"), QUERIES)
def test_query_groups_and_legend_names_by_labels_that_are_there(query: str, legend: str) -> None:
    expression = _parse(query)

    for part in _parts(expression):
        if isinstance(part, AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= _labels(part.expr), query
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= _labels(expression), legend


@pytest.mark.parametrize(("query", "legend"), QUERIES)
def test_query_treats_counters_as_counters_and_gauges_as_gauges(query: str, legend: str) -> None:
    assert legend
    for part in _parts(_parse(query)):
        if isinstance(part, Call) and part.func.name in {"rate", "increase"}:
            kinds = {_measured()[str(s.name)].kind for s in _selectors(part)}
            assert kinds <= {"counter", "bucket"}, query
        if isinstance(part, Call) and part.func.name == "histogram_quantile":
            kinds = {_measured()[str(s.name)].kind for s in _selectors(part)}
            assert kinds == {"bucket"}, query


def test_jobs_asked_for_are_jobs_that_are_scraped() -> None:
    scraped = {job["job_name"] for job in PROMETHEUS["scrape_configs"]}
    asked = set(re.findall(r"job=~?\\?\"([^\"\\]+)", json.dumps(DASHBOARD)))

    assert asked <= scraped


# --- the panels ------------------------------------------------------------------------------


def test_dashboard_can_be_linked_to_and_follows_the_events_from_gateway_to_books() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]

    assert DASHBOARD["uid"] == "payrouter-overview"
    assert "id" not in DASHBOARD
    assert rows == ["Now", "Deliveries", "Publishing", "Consumers", "Books"]


@pytest.mark.parametrize("panel", PANELS, ids=TITLES)
def test_panel_says_what_to_conclude_in_which_unit_and_when_to_worry(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]

    assert len(panel["description"].split()) >= 15
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"]
    assert panel["type"] != "stat" or defaults["noValue"]
    assert all(target["legendFormat"] for target in panel["targets"])


def test_everything_asks_the_data_source_that_is_chosen() -> None:
    asking = [
        *PANELS,
        *(target for panel in PANELS for target in panel["targets"]),
        *DASHBOARD["annotations"]["list"],
        *(v for v in DASHBOARD["templating"]["list"] if v["type"] == "query"),
    ]

    for part in asking:
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, part


def test_variables_used_are_the_ones_declared() -> None:
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD["panels"])))

    assert used == declared


def test_variables_are_filled_from_labels_that_exist() -> None:
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert match is not None
            assert match[2] in _measured()[match[1]].labels


def test_panels_have_their_own_numbers_and_places() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]

    assert len(set(numbers)) == len(numbers)
    assert len(set(TITLES)) == len(TITLES)
    for one, other in combinations(DASHBOARD["panels"], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in DASHBOARD["panels"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[place] < other[place] + other[size] and other[place] < one[place] + one[size]
        for place, size in (("x", "w"), ("y", "h"))
    )


# --- how it gets into Grafana ----------------------------------------------------------------


def _provisioned(what: str) -> dict[str, Any]:
    (path,) = (GRAFANA / "provisioning" / what).glob("*.yml")
    provisioned: dict[str, Any] = yaml.safe_load(path.read_text())
    return provisioned


def test_data_source_is_the_prometheus_of_the_compose_file() -> None:
    (source,) = _provisioned("datasources")["datasources"]

    assert source["type"] == "prometheus"
    assert source["isDefault"] is True
    assert source["url"] == "http://prometheus:9090"
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


def test_dashboards_are_read_from_where_they_are_mounted() -> None:
    (provider,) = _provisioned("dashboards")["providers"]
    folder = provider["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert f"./deploy/grafana/dashboards:{folder}:ro" in SERVICES["grafana"]["volumes"]
    assert home == f"{folder}/payrouter-overview.json"
    mounts = SERVICES["grafana"]["volumes"]
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in mounts


def test_prometheus_reads_the_configuration_that_is_mounted() -> None:
    (flag,) = [f for f in SERVICES["prometheus"]["command"] if f.startswith("--config.file=")]
    inside = flag.partition("=")[2]

    assert f"./deploy/prometheus/prometheus.yml:{inside}:ro" in SERVICES["prometheus"]["volumes"]
