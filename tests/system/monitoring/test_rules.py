"""The rules are valid and tested alert by alert, and each has what an operator needs at night."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.parts.monitoring.rule_files import (
    ALERTS,
    DOCS_BASE,
    GRAFANA_BASE,
    GROUPS,
    NAMES,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    RULES,
    TEST_FILES,
    TESTS,
    tool,
)

ALERTMANAGER: Final = PROMETHEUS / "alertmanager.example.yml"
OF_THE_CALENDAR: Final = {"PayrouterCertificateExpiring"}
"""They compare with a date in the future, which a run with time sped up does not bring nearer."""


@pytest.fixture
def promtool(wishes_ci: bool) -> str:  # noqa: FBT001 - a fixture
    """Where promtool is."""
    return tool("promtool", ci=wishes_ci)


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    ran = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_rule_files_and_configuration_are_valid(promtool: str) -> None:
    _run(promtool, "check", "rules", "--lint-fatal", *RULE_FILES)
    _run(promtool, "check", "config", "--lint-fatal", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_not_before(promtool: str, path: Path) -> None:
    _run(promtool, "test", "rules", path)


@pytest.mark.parametrize("name", TESTS)
def test_promtool_evaluates_what_alerts_ask_for_before_them(name: str) -> None:
    # Groups that are not in this list are evaluated in any order, and tests pass or fail by chance.
    order = TESTS[name]["group_eval_order"]

    assert sorted(order) == sorted(group["name"] for group in GROUPS)
    last_recording = max(order.index(g["name"]) for g in GROUPS if "record" in g["rules"][0])
    first_alert = min(order.index(g["name"]) for g in GROUPS if "alert" in g["rules"][0])
    assert last_recording < first_alert


def _checks(alert: str) -> list[dict[str, Any]]:
    return [
        check
        for tests in TESTS.values()
        for test in tests["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == alert
    ]


@pytest.mark.parametrize(
    "rule", ALERTS, ids=[f"{r['alert']}-{'-'.join(r['labels'].values())}" for r in ALERTS]
)
def test_every_rule_of_an_alert_is_seen_to_fire(rule: dict[str, Any]) -> None:
    fired = [alert for check in _checks(rule["alert"]) for alert in check.get("exp_alerts", [])]

    assert any(rule["labels"].items() <= alert["exp_labels"].items() for alert in fired)


@pytest.mark.parametrize("alert", NAMES)
def test_every_alert_is_seen_not_to_fire(alert: str) -> None:
    assert [check for check in _checks(alert) if not check.get("exp_alerts")]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_has_severity_value_description_and_runbook(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.search(r"\$value", notes["summary"])
    assert len(notes["description"].split()) >= 8
    page = f"docs/runbooks/{rule['alert']}.md"
    assert notes["runbook_url"] == f"{DOCS_BASE}{page}"
    assert (ROOT / page).is_file()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_leads_to_a_panel_that_exists(rule: dict[str, Any]) -> None:
    link = rule["annotations"]["dashboard_url"].removeprefix(GRAFANA_BASE)
    match = re.fullmatch(r"/d/([\w-]+)\?viewPanel=(\d+)", link)
    assert match is not None
    path = ROOT / "deploy" / "grafana" / "dashboards" / f"{match[1]}.json"
    panels = {each["id"]: each["type"] for each in json.loads(path.read_text())["panels"]}

    assert panels.get(int(match[2]), "row") != "row"


def test_bases_of_links_are_external_labels_that_no_alert_carries() -> None:
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    dropped = configuration["alerting"]["alert_relabel_configs"]

    assert [(each["action"], each["regex"]) for each in dropped] == [
        ("labeldrop", "grafana_url|docs_url")
    ]
    assert set(configuration["global"]["external_labels"]) <= {"grafana_url", "docs_url"}


def test_no_rule_has_a_plain_number_of_seconds_instead_of_a_duration() -> None:
    # The live run divides durations by a factor; `time() - x > 300` would still be five minutes.
    for rule in RULES:
        if rule.get("alert") not in OF_THE_CALENDAR:
            assert not re.search(r"time\(\)[^<>=]*(?<!=)[<>]", rule["expr"]), rule["expr"]


# --- the Alertmanager's example -------------------------------------------------------------------


def _alertmanager() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text())
    return read


def test_alertmanager_takes_the_example(wishes_ci: bool) -> None:  # noqa: FBT001 - a fixture
    _run(tool("amtool", ci=wishes_ci), "check-config", ALERTMANAGER)


def test_inhibitions_name_alerts_that_exist() -> None:
    named = set(re.findall(r"Payrouter\w+", ALERTMANAGER.read_text()))

    assert named <= set(NAMES)


def _mutes(source: dict[str, str], target: dict[str, str]) -> bool:
    """Return whether one firing alert mutes another, by the inhibitions of the example."""
    return any(
        all(_matches(matcher, source) for matcher in rule["source_matchers"])
        and all(_matches(matcher, target) for matcher in rule["target_matchers"])
        and all(source.get(name) == target.get(name) for name in rule.get("equal", ()))
        for rule in _alertmanager()["inhibit_rules"]
    )


def _matches(matcher: str, labels: dict[str, str]) -> bool:
    name, operator, wanted = re.fullmatch(r"(\w+) (=~?) \"(.*)\"", matcher.strip()).groups()  # type: ignore[union-attr]
    found = labels.get(name, "")
    return re.fullmatch(wanted, found) is not None if operator == "=~" else found == wanted


@pytest.mark.parametrize(
    ("source", "muted", "heard"),
    [
        ("PartitionHalted payment 0", "PartitionStuck payment 0", "PartitionStuck payment 1"),
        ("PartitionHalted payment 0", "LagGrowing payment", "LagGrowing order"),
        ("PartitionHalted payment 0", "FreshnessBudgetBurn", "ParkedOld"),
        ("PartitionStuck payment 0", "LagGrowing payment", "LagGrowing order"),
        ("BrakeHeld payment", "PartitionStuck payment 1", "PartitionStuck order 1"),
        ("BrakeHeld payment", "ParkedOld", "LagGrowing order"),
        ("GroupAbsent", "PartitionStuck payment 1", "PartitionHalted payment 1"),
    ],
)
def test_alert_of_a_halt_mutes_only_the_alerts_that_follow_from_it(
    source: str, muted: str, heard: str
) -> None:
    def labelled(alert: str, consumer: str) -> dict[str, str]:
        name, *place = alert.split()
        found = dict(zip(("topic", "partition"), place, strict=False))
        return {"alertname": f"Payrouter{name}", "consumer": consumer, **found}

    assert _mutes(labelled(source, "ledger"), labelled(muted, "ledger"))
    assert not _mutes(labelled(source, "ledger"), labelled(heard, "ledger"))
    assert not _mutes(labelled(source, "ledger"), labelled(muted, "inventory"))


def test_every_severity_has_a_way_to_a_receiver() -> None:
    read = _alertmanager()
    receivers = {each["name"] for each in read["receivers"]}
    routed = {matcher for route in read["route"]["routes"] for matcher in route["matchers"]}

    assert {route["receiver"] for route in read["route"]["routes"]} <= receivers
    assert routed == {f'severity = "{rule["labels"]["severity"]}"' for rule in ALERTS}
