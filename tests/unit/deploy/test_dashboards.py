"""The dashboards and their provisioning: what they ask for is what the processes measure."""

import json
import re
from functools import cache
from itertools import combinations
from typing import Any, Final

import pytest
import yaml
from promql_parser import AggregateExpr, BinaryExpr, Call, Expr

from tests.parts.deploy.dashboards import (
    DASHBOARDS,
    GRAFANA,
    Panel,
    Query,
    as_asked,
    panels,
    queries,
)
from tests.parts.deploy.measured import measured, rules
from tests.parts.deploy.promql import impossible, labels, names, parse, parts, selectors
from tests.parts.deploy.system import PROMETHEUS, SERVICES
from tests.parts.monitoring.rule_files import GRAFANA_BASE

BOARDS: Final = [pytest.param(dashboard, id=name) for name, dashboard in DASHBOARDS.items()]

RATES: Final = {"rate", "increase", "irate"}
COMPARISONS: Final = {"==", "!=", ">", "<", ">=", "<="}


# --- the questions ---------------------------------------------------------------------------


@cache
def _parsed(query: Query) -> Expr:
    return parse(query.asked())


def _queries(name: str) -> list[Query]:
    found = [query for query in queries() if query.dashboard == name]
    assert found
    return found


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_ask_for_series_that_are_measured_by_labels_and_values_they_have(name: str) -> None:
    for query in _queries(name):
        assert selectors(_parsed(query)), query
        for selector in selectors(_parsed(query)):
            assert selector.name in measured(), query
            assert impossible(selector, measured()) == [], query


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_group_and_legends_name_by_labels_that_are_there(name: str) -> None:
    for query in _queries(name):
        for part in parts(_parsed(query)):
            if isinstance(part, AggregateExpr) and part.modifier is not None:
                assert set(part.modifier.labels) <= labels(part.expr, measured()), query
            if isinstance(part, BinaryExpr) and part.modifier and part.modifier.matching:
                for side in (part.lhs, part.rhs):
                    assert set(part.modifier.matching.labels) <= labels(side, measured()), query
        named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
        assert named <= labels(_parsed(query), measured()), query


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_treat_counters_as_counters_and_gauges_as_gauges(name: str) -> None:
    calls = [
        (query, part)
        for query in _queries(name)
        for part in parts(_parsed(query))
        if isinstance(part, Call)
    ]
    for query, part in calls:
        kinds = {measured()[name].kind for name in names(part)}
        if part.func.name in RATES:
            assert kinds <= {"counter", "bucket"}, query
        if part.func.name in {"deriv", "delta", "min_over_time", "max_over_time"}:
            assert kinds == {"gauge"}, query
        if part.func.name == "histogram_quantile":
            assert kinds == {"bucket"}, query


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_need_no_name_of_a_job(name: str) -> None:
    for query in _queries(name):
        asked = {m.name for s in selectors(_parsed(query)) for m in s.matchers.matchers}
        assert "job" not in asked, query


def test_values_of_one_store_from_several_processes_are_not_summed() -> None:
    """Every process of a consumer, and the exporter, exports them: a sum would count them again."""
    shared = re.compile(
        r"payrouter_(held|cases?|brake|outbox|ledger|inventory|notifications|group|log)_"
    )

    for query in queries():
        for part in parts(parse(query.asked())):
            if isinstance(part, AggregateExpr) and str(part.op) in {"sum", "avg", "count"}:
                inside = part.expr.prettify()
                named = [name for name in names(part.expr) if shared.match(name)]
                assert not named or "max by" in inside, query


# --- the panels ------------------------------------------------------------------------------


@pytest.mark.parametrize("dashboard", BOARDS)
def test_panels_have_description_unit_thresholds_and_legends(dashboard: Panel) -> None:
    for panel in panels(dashboard):
        defaults, title = panel["fieldConfig"]["defaults"], panel["title"]
        assert len(panel["description"].split()) >= 15, title
        assert defaults["unit"], title
        assert defaults["thresholds"]["steps"], title
        assert panel["type"] != "stat" or defaults["noValue"], title
        assert all(target["legendFormat"] for target in panel["targets"]), title


@pytest.mark.parametrize("dashboard", BOARDS)
def test_panels_that_are_empty_while_all_is_well_have_a_text_for_that(dashboard: Panel) -> None:
    for panel in panels(dashboard):
        asked = [parse(as_asked(target["expr"])) for target in panel["targets"]]
        filtering = [e for e in asked if isinstance(e, BinaryExpr) and str(e.op) in COMPARISONS]
        assert not filtering or panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@pytest.mark.parametrize("dashboard", BOARDS)
def test_single_values_that_are_unknown_do_not_look_like_zero(dashboard: Panel) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "stat":
            defaults, title = panel["fieldConfig"]["defaults"], panel["title"]
            special = [m["options"] for m in defaults["mappings"] if m["type"] == "special"]
            assert [options["match"] for options in special] == ["null+nan"], title
            assert special[0]["result"]["text"] == defaults["noValue"], title


@pytest.mark.parametrize("dashboard", BOARDS)
def test_everything_asks_the_data_source_that_is_chosen(dashboard: Panel) -> None:
    asking = [
        *panels(dashboard),
        *(target for panel in panels(dashboard) for target in panel["targets"]),
        *dashboard["annotations"]["list"],
        *(v for v in dashboard["templating"]["list"] if v["type"] == "query"),
    ]

    for part in asking:
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, part


@pytest.mark.parametrize("dashboard", BOARDS)
def test_variables_used_are_the_ones_declared(dashboard: Panel) -> None:
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard["panels"])))

    assert used == declared


@pytest.mark.parametrize("dashboard", BOARDS)
def test_variables_are_filled_from_labels_that_exist(dashboard: Panel) -> None:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
            assert match is not None
            assert match[2] in measured()[match[1]].labels
            assert variable["allValue"] == ".*"


@pytest.mark.parametrize("dashboard", BOARDS)
def test_panels_have_their_own_numbers_and_places(dashboard: Panel) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]
    titles = [panel["title"] for panel in panels(dashboard)]

    assert len(set(numbers)) == len(numbers)
    assert len(set(titles)) == len(titles)
    for one, other in combinations(dashboard["panels"], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in dashboard["panels"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[place] < other[place] + other[size] and other[place] < one[place] + one[size]
        for place, size in (("x", "w"), ("y", "h"))
    )


# --- the ways between them -------------------------------------------------------------------


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_can_be_linked_to_by_the_name_of_its_file(name: str) -> None:
    assert DASHBOARDS[name]["uid"] == name
    assert "id" not in DASHBOARDS[name]


def test_dashboards_answer_six_questions() -> None:
    assert set(DASHBOARDS) == {
        f"payrouter-{what}"
        for what in ("overview", "edge", "consumers", "held", "money", "runtime")
    }


@pytest.mark.parametrize("dashboard", BOARDS)
def test_every_dashboard_leads_to_the_others_at_the_same_time(dashboard: Panel) -> None:
    (link,) = dashboard["links"]

    assert (link["type"], link["tags"]) == ("dashboards", dashboard["tags"])
    assert link["keepTime"]
    assert link["includeVars"]


@pytest.mark.parametrize("dashboard", BOARDS)
def test_links_of_panels_land_on_the_panel_they_name(dashboard: Panel) -> None:
    for link in (link for panel in panels(dashboard) for link in panel.get("links", [])):
        match = re.match(r"/d/([a-z-]+)\?viewPanel=(\d+)&\$\{datasource:queryparam\}&", link["url"])
        assert match is not None, link
        titles = {p["id"]: p["title"] for p in panels(DASHBOARDS[match[1]])}
        assert titles[int(match[2])] == link["title"], link


def test_links_of_alerts_land_on_panels() -> None:
    for rule in rules("alert"):
        link = rule["annotations"]["dashboard_url"].removeprefix(GRAFANA_BASE)
        match = re.fullmatch(r"/d/([a-z-]+)\?viewPanel=(\d+)", link)
        assert match is not None, rule["alert"]
        numbers = {panel["id"] for panel in panels(DASHBOARDS[match[1]])}
        assert int(match[2]) in numbers, rule["alert"]


# --- how they get into Grafana ---------------------------------------------------------------


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
