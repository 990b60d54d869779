"""What the chart gives Prometheus and Grafana: the rules, dashboards and names of deploy/."""

import hashlib
import re
from typing import Any, Final

import pytest
import yaml

from tests.parts.chart.rendered import CHART, ROOT, Rendered, of_kind, the
from tests.parts.deploy.measured import measured
from tests.parts.deploy.system import PROMETHEUS, SERVICES

RULES: Final = ROOT / "deploy" / "prometheus" / "rules"
DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"
GRAFANA: Final = "{{ $externalLabels.grafana_url }}"
DOCS: Final = "{{ $externalLabels.docs_url }}"


def _groups(text: str) -> list[Any]:
    groups: list[Any] = yaml.safe_load(text)["groups"]
    return groups


def test_rules_are_those_of_prometheus_with_the_links_of_the_values() -> None:
    (rule,) = of_kind("large", "PrometheusRule").values()
    files = [path.read_text() for path in sorted(RULES.glob("*.yml"))]
    linked = [
        text.replace(GRAFANA, "https://grafana.example.com").replace(
            DOCS, "https://git.example.com/payrouter/blob/main/"
        )
        for text in files
    ]

    assert all(GRAFANA in text or "alert:" not in text for text in files)
    assert rule["spec"]["groups"] == [group for text in linked for group in _groups(text)]


def test_dashboards_are_those_of_grafana() -> None:
    maps = {
        name: value
        for each in of_kind("large", "ConfigMap").values()
        if "grafana_dashboard" in each["metadata"]["labels"]
        for name, value in each["data"].items()
    }

    assert maps == {
        path.name: "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in DASHBOARDS.glob("*.json")
    }


@pytest.mark.parametrize(("link", "folder"), [("rules", RULES), ("dashboards", DASHBOARDS)])
def test_chart_contains_them_by_a_link_and_not_by_a_copy(link: str, folder: Any) -> None:  # noqa: ANN401 - a path
    assert (CHART / "files" / link).is_symlink()
    assert (CHART / "files" / link).resolve() == folder


def _job(monitor: Rendered) -> str:
    relabelings = monitor["spec"]["endpoints"][0]["relabelings"]
    (named,) = [each for each in relabelings if each.get("targetLabel") == "job"]
    job: str = named["replacement"]
    return job


def test_targets_are_called_as_rules_and_compose_file_call_them() -> None:
    jobs = {name: _job(each) for name, each in of_kind("large", "ServiceMonitor").items()}

    assert jobs == {
        "payrouter-edge": "payrouter-edge",
        "payrouter-exporter": "payrouter-exporter",
        "payrouter-inventory": "payrouter-consumer",
        "payrouter-ledger": "payrouter-consumer",
        "payrouter-notifications": "payrouter-consumer",
    }
    # The console is off unless the values turn it on.
    scraped = {each["job_name"] for each in PROMETHEUS["scrape_configs"]} - {"payrouter-console"}
    assert set(jobs.values()) == scraped


def test_a_monitor_selects_the_management_port_of_one_service() -> None:
    services = of_kind("large", "Service").values()
    for monitor in of_kind("large", "ServiceMonitor").values():
        selector = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [s for s in services if selector <= s["metadata"]["labels"].items()]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert [port["name"] for port in service["spec"]["ports"]] == [endpoint["port"]]
        assert endpoint["path"] == "/metrics"
        assert endpoint["interval"] == PROMETHEUS["global"]["scrape_interval"]
        assert endpoint["scrapeTimeout"] == PROMETHEUS["global"]["scrape_timeout"]


OPERATORS: Final = {"namespace", "service", "pod", "container", "endpoint", "node"}
"""Labels that the Prometheus Operator gives to a target."""


def test_no_label_of_a_target_replaces_our_own() -> None:
    """Prometheus would rename our `endpoint` to exported_endpoint, and no rule would find it."""
    ours = {label for metric in measured().values() for label in metric.labels}
    (endpoint,) = the("large", "ServiceMonitor", "edge")["spec"]["endpoints"]
    (dropped,) = [r["regex"] for r in endpoint["relabelings"] if r["action"] == "labeldrop"]

    left = {label for label in OPERATORS if not re.fullmatch(dropped, label)}
    assert "endpoint" in ours
    assert not left & (ours - {"job", "instance"})


def test_management_ports_are_those_that_prometheus_scrapes() -> None:
    chart = {
        port["port"]
        for service in of_kind("large", "Service").values()
        for port in service["spec"]["ports"]
        if port["name"] == "management"
    }

    assert chart == {
        int(port) for name in ("ledger", "exporter") for port in SERVICES[name]["expose"]
    } | {9080}
