"""The chart's processes start with what it gives them: commands, variables, files, ports."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from consumers.cli import command_line
from consumers.console.app import refuse_open_console
from consumers.discovery import discover, topics_beside
from consumers.runtime.settings import Tuning
from router.configuration.settings import Settings
from router.configuration.topic_needs import topic_needs
from router.edge.app import checked_gates
from tests.parts.chart.processes import payrouter_containers, settings_of
from tests.parts.chart.rendered import (
    CASES,
    CHART,
    WORKLOADS,
    Rendered,
    containers,
    of_kind,
    pod_of,
    the,
    variables,
)
from tests.parts.deploy.system import OPTIONAL, OURS, PROJECT, SERVICES, environment

OWN: Final = {"edge", "exporter", "ledger", "inventory", "notifications"}


def component_of(workload: Rendered) -> str:
    component: str = workload["metadata"]["labels"]["app.kubernetes.io/component"]
    return component


@pytest.fixture(params=CASES)
def started(
    request: pytest.FixtureRequest, tmp_path: Path
) -> list[tuple[Rendered, Rendered, Settings]]:
    """Return every container of a case with its workload and what it would read."""
    case = request.param
    found = []
    for number, (workload, container) in enumerate(payrouter_containers(case)):
        root = tmp_path / str(number)
        found.append((workload, container, settings_of(case, workload, container, root)))
    return found


def test_every_process_reads_a_valid_configuration_and_listens_on_its_ports(
    started: list[tuple[Rendered, Rendered, Settings]],
) -> None:
    for workload, container, settings in started:
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        match container["args"]:
            case ["edge"]:
                edge = settings.edge
                assert ports == {"webhooks": edge.port, "management": edge.management_port}
                assert edge.host == edge.management_host != "127.0.0.1"
                assert checked_gates(settings)
            case ["consume", name]:
                tuning = _tuning(settings, name)
                assert ports == {"management": tuning.management_port}
                assert tuning.management_host != "127.0.0.1"
                assert tuning.instance_id == f"{workload['metadata']['name']}-0"
            case ["exporter"]:
                assert ports == {"management": settings.exporter.management_port}
                assert settings.exporter.management_host != "127.0.0.1"
            case ["console"]:
                console = settings.console
                assert ports == {"pages": console.port, "management": console.management_port}
                assert console.host == console.management_host != "127.0.0.1"
                refuse_open_console(settings)
            case _:
                assert ports == {}


def _tuning(settings: Settings, name: str) -> Tuning:
    table = {
        key: value for key, value in settings.consumers[name].items() if key in Tuning.model_fields
    }
    return Tuning.model_validate(table)


def test_every_process_compares_the_topics_with_the_same_needs(
    started: list[tuple[Rendered, Rendered, Settings]],
) -> None:
    needs = [
        topic_needs(settings, topics_beside(settings.topics.topics(), discover()))
        for _, container, settings in started
        if container["args"][0] != "db"
    ]

    assert all(each == needs[0] for each in needs)


def test_processes_may_stop_in_their_own_time(
    started: list[tuple[Rendered, Rendered, Settings]],
) -> None:
    for workload, container, settings in started:
        grace = pod_of(workload).get("terminationGracePeriodSeconds", 30)
        if container["args"] == ["edge"]:
            pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert grace >= pause + settings.edge.drain_seconds + 10
        if container["args"][0] == "consume":
            assert grace >= int(SERVICES["ledger"]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("case", CASES)
def test_commands_are_those_of_the_command_line(case: str) -> None:
    cli = command_line()
    for _, container in payrouter_containers(case):
        command: click.Command = cli
        words = list(container["args"])
        with click.Context(cli) as context:
            while isinstance(command, click.Group) and words:
                found = command.get_command(context, words.pop(0))
                assert found is not None, container["args"]
                command = found
            command.make_context(command.name, words, parent=context)


@pytest.mark.parametrize("case", CASES)
def test_probes_ask_the_management_port_for_what_it_answers(case: str) -> None:
    for workload in of_kind(case, "Deployment", "StatefulSet").values():
        (container,) = pod_of(workload)["containers"]
        asked = {
            name: container[f"{name}Probe"]["httpGet"]
            for name in ("startup", "liveness", "readiness")
        }
        assert {each["port"] for each in asked.values()} == {"management"}
        assert asked["liveness"]["path"] == "/healthz"
        assert {each["path"] for each in asked.values()} <= {"/healthz", "/readyz"}


def test_an_edge_that_cannot_publish_to_one_topic_takes_deliveries_for_the_others() -> None:
    (container,) = pod_of(the("large", "Deployment", "edge"))["containers"]

    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("case", CASES)
def test_services_lead_to_ports_and_labels_of_pods(case: str) -> None:
    templates = [each["spec"]["template"] for each in of_kind(case, *WORKLOADS).values()]
    for service in of_kind(case, "Service").values():
        selector = service["spec"]["selector"].items()
        (led,) = [t for t in templates if selector <= t["metadata"]["labels"].items()]
        named = {
            port["name"]: port["containerPort"] for port in led["spec"]["containers"][0]["ports"]
        }
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in named
            if port["targetPort"] == "management":
                assert port["port"] == named["management"]


@pytest.mark.parametrize("case", CASES)
def test_the_service_of_the_edge_leads_to_no_metrics(case: str) -> None:
    services = [s for s in of_kind(case, "Service").values() if component_of(s) == "edge"]
    public, management = sorted(services, key=lambda each: len(each["metadata"]["name"]))

    assert [port["targetPort"] for port in public["spec"]["ports"]] == ["webhooks"]
    assert management["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("case", CASES)
def test_selectors_find_the_pods_of_their_own_component_alone(case: str) -> None:
    for workload in of_kind(case, "Deployment", "StatefulSet").values():
        own = workload["spec"]["selector"]["matchLabels"]
        assert own.items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        assert own["app.kubernetes.io/component"] == component_of(workload)
        assert own["app.kubernetes.io/instance"] == "payrouter"


def test_chart_has_the_version_of_the_project_and_runs_its_image() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == chart["version"] == PROJECT["version"]
    images = {
        c["image"] for w in of_kind("small", *WORKLOADS).values() for c in containers(pod_of(w))
    }
    assert images == {SERVICES["edge"]["image"]}


def test_chart_and_compose_file_run_the_same_processes() -> None:
    chart = sorted(
        container["args"]
        for _, container in payrouter_containers("small")
        if container["args"][0] != "doctor"
    )

    assert chart == sorted(SERVICES[name]["command"] for name in OURS if name not in OPTIONAL)


def test_chart_sets_what_the_compose_file_sets() -> None:
    """A variable that Compose needs, the chart needs as well."""
    chart = {tuple(c["args"]): variables(c) | _named(c) for _, c in payrouter_containers("small")}

    for name in sorted({*OURS} - {*OPTIONAL}):
        given = chart[tuple(SERVICES[name]["command"])].keys()
        missing = environment(name).keys() - given
        # The tables' owner needs no broker.
        allowed = {"PAYROUTER_KAFKA__BOOTSTRAP_SERVERS"} if name == "migrations" else set()
        assert missing <= allowed, name


def _named(container: Rendered) -> dict[str, str]:
    return {each["name"]: "" for each in container["env"] if "valueFrom" in each}


def test_values_name_the_topics_that_the_consumers_read() -> None:
    consumers = yaml.safe_load((CHART / "values.yaml").read_text())["consumers"]
    services = discover()

    assert set(consumers) == set(services)
    for name, service in services.items():
        assert consumers[name]["topics"] == list(service.topics)
        assert service.says_outcomes, "consumerDefaults.saysOutcomes is true"


@pytest.mark.parametrize("case", CASES)
def test_files_that_a_configuration_names_are_mounted(case: str) -> None:
    for workload, container in payrouter_containers(case):
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        for path in _paths(case, workload, container):
            assert {path, str(Path(path).parent)} & mounted, (workload["metadata"]["name"], path)


def _paths(case: str, workload: Rendered, container: Rendered) -> Iterator[str]:
    yield from (value for value in variables(container).values() if value.startswith("/"))
    maps = of_kind(case, "ConfigMap")
    for volume in pod_of(workload)["volumes"]:
        if "configMap" in volume:
            for text in maps[volume["configMap"]["name"]]["data"].values():
                yield from re.findall(r'"(/run/secrets/[^"]+)"', text)
