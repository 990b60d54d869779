"""KafkaTopics are what `payrouter topics apply` makes; KafkaUsers have only what they need."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from consumers.discovery import discover, topics_beside
from router.configuration.settings import Settings
from router.configuration.topic_needs import topic_needs
from router.contract.topics import FAMILIES, Topics
from tests.parts.chart.processes import settings_of
from tests.parts.chart.rendered import Rendered, of_kind, pod_of, the

CASES: Final = ("large", "certificates")
COMPARED: Final = frozenset({"DescribeConfigs"})
"""To know whether a topic is as it must be; READ and WRITE include DESCRIBE."""

OWN: Final = {"edge", "exporter", "inventory", "ledger", "notifications"}
Rights = Mapping[tuple[str, str], frozenset[str]]


def _settings(case: str, folder: Path) -> Settings:
    edge = the(case, "Deployment", "edge")
    return settings_of(case, edge, pod_of(edge)["containers"][0], folder)


@pytest.mark.parametrize("case", CASES)
def test_topics_are_what_the_code_would_make(case: str, tmp_path: Path) -> None:
    settings = _settings(case, tmp_path)
    names = settings.topics.topics()
    needs = {n.name: n for n in topic_needs(settings, topics_beside(names, discover()))}
    found = {
        each["spec"]["topicName"]: each["spec"] for each in of_kind(case, "KafkaTopic").values()
    }

    # The platform's topic is made only if the values require it.
    missing = {names.order} if case == "large" else set()
    assert set(found) == set(needs) - missing
    for name, spec in found.items():
        assert spec["partitions"] == needs[name].partitions
        assert spec["replicas"] == needs[name].replication_factor
        assert spec["config"] == needs[name].configs(), name


@pytest.mark.parametrize("case", CASES)
def test_uninstalling_the_chart_deletes_no_topic(case: str) -> None:
    for each in of_kind(case, "KafkaTopic").values():
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def _rights(user: Rendered) -> Rights:
    return {
        (rule["resource"]["type"], rule["resource"]["name"]): frozenset(rule["operations"])
        for rule in user["spec"]["authorization"]["acls"]
    }


def _edge(names: Topics) -> Rights:
    written = [*names.events, names.quarantine]
    return {
        **{("topic", name): COMPARED | {"Write"} for name in written},
        ("topic", names.refused): frozenset({"Write"}),
    }


def _consumers(names: Topics) -> Mapping[str, Rights]:
    found = {}
    for name, service in discover().items():
        read = [names.name(topic) for topic in service.topics]
        written = [*(names.dead_letter(topic, name) for topic in read), names.outcome(name)]
        found[name] = {
            **{("topic", topic): COMPARED | {"Read"} for topic in read},
            **{("topic", topic): COMPARED | {"Write"} for topic in written},
            ("group", f"payrouter.{name}"): frozenset({"Read"}),
            ("transactionalId", "*"): frozenset({"Describe"}),
        }
    return found


def test_users_have_the_rights_that_they_need_and_no_other(tmp_path: Path) -> None:
    names = _settings("certificates", tmp_path).topics.topics()
    users = {name: _rights(each) for name, each in of_kind("certificates", "KafkaUser").items()}

    wanted = {"edge": _edge(names), **_consumers(names)}
    assert users == {f"money-{name}": rights for name, rights in wanted.items()}


def test_rights_of_operators_commands_are_added(tmp_path: Path) -> None:
    names = _settings("large", tmp_path).topics.topics()
    users = {name: _rights(each) for name, each in of_kind("large", "KafkaUser").items()}
    consumers = _consumers(names)

    added = {
        name: {
            where[1]: given - least[where] for where, given in users[f"payrouter-{name}"].items()
        }
        for name, least in {"edge": _edge(names), **consumers}.items()
    }

    assert {
        name: {t: more for t, more in each.items() if more} for name, each in added.items()
    } == {
        "edge": {"quarantine": {"Read"}, "refused": {"Read"}},
        "ledger": {"payment": {"Write"}, "payout": {"Write"}},
        "inventory": {"order": {"Write"}},
        "notifications": {},
    }


def test_the_exporter_reads_and_changes_nothing(tmp_path: Path) -> None:
    names = _settings("large", tmp_path).topics.topics()
    exporter = _rights(of_kind("large", "KafkaUser")["payrouter-exporter"])
    read = {names.name(topic) for service in discover().values() for topic in service.topics}

    assert {name for kind, name in exporter if kind == "topic"} == read
    assert {name for kind, name in exporter if kind == "group"} == {
        f"payrouter.{name}" for name in discover()
    }
    assert {operation for each in exporter.values() for operation in each} == {"Read", "Describe"}


@pytest.mark.parametrize("case", CASES)
def test_every_process_signs_in_as_the_user_that_is_made_for_it(case: str) -> None:
    users = of_kind(case, "KafkaUser")
    components = {
        each["metadata"]["labels"]["app.kubernetes.io/component"] for each in users.values()
    }

    assert components == OWN - (set() if case == "large" else {"exporter"})
    for user in users.values():
        component = user["metadata"]["labels"]["app.kubernetes.io/component"]
        kind = "Deployment" if component in {"edge", "exporter"} else "StatefulSet"
        (kafka,) = [
            v for v in pod_of(the(case, kind, component))["volumes"] if v["name"] == "kafka"
        ]
        assert kafka["secret"]["secretName"] == user["metadata"]["name"]
        keys = {item["key"] for item in kafka["secret"]["items"]}
        assert keys == ({"password"} if case == "large" else {"user.crt", "user.key"})


def test_families_are_those_of_the_contract() -> None:
    rights = _rights(of_kind("large", "KafkaUser")["payrouter-edge"])

    assert {("topic", family) for family in FAMILIES} <= set(rights)
