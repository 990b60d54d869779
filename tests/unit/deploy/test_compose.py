"""docker-compose.yml: valid by the specification, true to the code.

No Docker engine is needed. What only one could answer is left to the schema and to these
comparisons: names, ports, commands, variables and networks, each against its other end.
"""

import re
from pathlib import Path
from typing import Final

import click
import pytest
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from consumers.cli import command_line
from consumers.console.app import refuse_open_console
from consumers.discovery import discover, topics_beside
from consumers.runtime.settings import Tuning
from router.configuration.settings import Settings
from router.configuration.topic_needs import topic_needs
from router.errors import ConfigurationError
from tests.parts.deploy.system import (
    COMPOSE,
    DOCKERFILE,
    OURS,
    PROJECT,
    PROMETHEUS,
    PROXY,
    ROOT,
    SERVICES,
    SYSTEM,
    bind_mounts,
    environment,
    scrape_targets,
    settings_of,
)

MEBIBYTE: Final = 1024 * 1024


def _shared_networks(one: str, other: str) -> set[str]:
    return set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"])


CONSUMERS: Final = ("inventory", "ledger", "notifications")


def _tuning(settings: Settings, consumer: str) -> Tuning:
    return Tuning.model_validate(settings.consumers[consumer])


def test_compose_file_is_valid_by_the_compose_specification() -> None:
    checked = CliRunner().invoke(
        check_jsonschema, ["--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    )

    assert checked.exit_code == 0, checked.output


def test_networks_volumes_and_secrets_used_are_the_ones_declared() -> None:
    networks = {name for service in SERVICES.values() for name in service["networks"]}
    secrets = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    volumes = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }

    assert networks == set(SYSTEM["networks"])
    assert secrets == set(SYSTEM["secrets"])
    assert volumes == set(SYSTEM["volumes"])


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_what_is_mounted_from_the_project_exists_and_is_read_only(service: str) -> None:
    for volume in SERVICES[service].get("volumes", []):
        if volume.startswith("./"):
            source, _, mode = volume.split(":")
            assert (ROOT / source).exists(), source
            assert mode == "ro", volume


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_that_others_wait_for_has_a_health_check_or_ends(service: str) -> None:
    for other, how in SERVICES[service].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other], f"{service} waits for {other}"
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no", f"{other} never completes"


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"topics", "migrations"}))
def test_processes_come_back_and_jobs_do_not(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_only_the_proxy_is_published_to_others() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert sorted(published) == ["console", "grafana", "prometheus", "proxy"]
    for name in ("console", "grafana", "prometheus"):
        assert all(port.startswith("127.0.0.1:") for port in published[name]), name


def test_broker_and_database_have_no_way_out_of_the_machine() -> None:
    for name in ("kafka", "postgres"):
        for network in SERVICES[name]["networks"]:
            assert SYSTEM["networks"][network]["internal"] is True


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_images_are_pinned(service: str) -> None:
    _, _, tag = SERVICES[service]["image"].partition(":")

    assert re.match(r"v?\d+\.\d+", tag), SERVICES[service]["image"]


def test_one_image_of_this_version_serves_all_and_is_built_once() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {f"payrouter:{PROJECT['version']}"}

    (build,) = [service["build"] for service in SERVICES.values() if "build" in service]

    assert ROOT / build["context"] / build["dockerfile"] == DOCKERFILE


@pytest.mark.parametrize("service", OURS)
def test_processes_have_no_rights_they_do_not_need(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert SERVICES[service]["tmpfs"]
    assert "cap_add" not in SERVICES[service]


@pytest.mark.parametrize("service", OURS)
def test_command_is_one_of_the_command_line(service: str) -> None:
    cli = command_line()
    command: click.Command = cli
    words = list(SERVICES[service]["command"])
    with click.Context(cli) as context:
        while isinstance(command, click.Group) and words:
            word = words.pop(0)
            found = command.get_command(context, word)
            assert found is not None, f"payrouter has no command {word}"
            command = found
        command.make_context(command.name, words, parent=context)  # refuses what it does not take


def test_consumers_that_are_run_exist() -> None:

    consumed = [SERVICES[n]["command"][1] for n in OURS if SERVICES[n]["command"][0] == "consume"]

    assert sorted(consumed) == list(CONSUMERS)
    assert set(consumed) <= set(discover())


def test_edge_listens_where_the_others_look_for_it(tmp_path: Path) -> None:
    edge = settings_of("edge", tmp_path).edge

    assert (edge.host, edge.management_host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104 - a container
    assert SERVICES["edge"]["expose"] == [str(edge.port), str(edge.management_port)]
    assert _healthcheck_urls("edge") == [f"http://127.0.0.1:{edge.management_port}/readyz"]
    assert f"reverse_proxy edge:{edge.port} " in PROXY.read_text()
    assert scrape_targets()["payrouter-edge"] == [f"edge:{edge.management_port}"]


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_consumer_listens_where_the_others_look_for_it(consumer: str, tmp_path: Path) -> None:
    tuning = _tuning(settings_of(consumer, tmp_path), consumer)

    assert tuning.management_host == "0.0.0.0"  # noqa: S104 - a container
    assert SERVICES[consumer]["expose"] == [str(tuning.management_port)]
    assert _healthcheck_urls(consumer) == [f"http://127.0.0.1:{tuning.management_port}/readyz"]
    assert f"{consumer}:{tuning.management_port}" in scrape_targets()["payrouter-consumer"]


def test_the_exporter_listens_where_the_others_look_for_it(tmp_path: Path) -> None:
    exporter = settings_of("exporter", tmp_path).exporter

    assert exporter.management_host == "0.0.0.0"  # noqa: S104 - a container
    assert SERVICES["exporter"]["expose"] == [str(exporter.management_port)]
    assert _healthcheck_urls("exporter") == [f"http://127.0.0.1:{exporter.management_port}/readyz"]
    assert scrape_targets()["payrouter-exporter"] == [f"exporter:{exporter.management_port}"]


def test_the_console_listens_where_the_others_look_for_it(tmp_path: Path) -> None:
    console = settings_of("console", tmp_path).console

    assert console.host == console.management_host == "0.0.0.0"  # noqa: S104 - a container
    assert SERVICES["console"]["expose"] == [str(console.port), str(console.management_port)]
    assert SERVICES["console"]["ports"] == [f"127.0.0.1:{console.port}:{console.port}"]
    assert _healthcheck_urls("console") == [f"http://127.0.0.1:{console.management_port}/readyz"]
    assert scrape_targets()["payrouter-console"] == [f"console:{console.management_port}"]


def test_the_console_does_not_start_before_someone_can_sign_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="requires a way to sign in"):
        refuse_open_console(settings_of("console", tmp_path))


def test_image_names_the_ports_its_processes_listen_on() -> None:
    exposed = re.search(r"^EXPOSE (.+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert exposed is not None
    assert sorted(exposed[1].split()) == sorted(
        port
        for name in ("edge", "ledger", "exporter", "console")
        for port in SERVICES[name]["expose"]
    )


def _healthcheck_urls(service: str) -> list[str]:
    command = SERVICES[service]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    compile(command[3], "healthcheck", "exec")
    return re.findall(r'"(http://[^"]+)"', command[3])


def test_processes_may_stop_in_their_own_time(tmp_path: Path) -> None:
    drain = settings_of("edge", tmp_path).edge.drain_seconds
    grace = {name: int(s.get("stop_grace_period", "10s")[:-1]) for name, s in SERVICES.items()}

    assert grace["edge"] > drain
    assert grace["proxy"] > grace["edge"]
    assert min(grace[consumer] for consumer in CONSUMERS) >= 40


def test_every_process_compares_the_topics_with_the_same_needs(tmp_path: Path) -> None:
    needs = {}
    for service in OURS:
        folder = tmp_path / service
        folder.mkdir()
        settings = settings_of(service, folder)
        needs[service] = topic_needs(settings, topics_beside(settings.topics.topics(), discover()))

    assert all(found == needs["topics"] for found in needs.values())


def test_one_broker_can_hold_the_topics_asked_of_it(tmp_path: Path) -> None:
    topics = settings_of("topics", tmp_path).topics
    broker = environment("kafka")

    assert (topics.replication_factor, topics.min_insync_replicas) == (1, 1)
    assert broker["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
    assert broker["KAFKA_LOG_FLUSH_INTERVAL_MESSAGES"] == "1"
    assert any(v.endswith(f":{broker['KAFKA_LOG_DIRS']}") for v in SERVICES["kafka"]["volumes"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("topics", "kafka"),
        ("edge", "kafka"),
        ("ledger", "kafka"),
        ("ledger", "postgres"),
        ("inventory", "kafka"),
        ("inventory", "postgres"),
        ("migrations", "postgres"),
        ("notifications", "kafka"),
        ("notifications", "postgres"),
        ("prometheus", "notifications"),
        ("proxy", "edge"),
        ("prometheus", "edge"),
        ("prometheus", "ledger"),
        ("prometheus", "inventory"),
        ("prometheus", "exporter"),
        ("exporter", "kafka"),
        ("exporter", "postgres"),
        ("console", "kafka"),
        ("console", "postgres"),
        ("prometheus", "console"),
        ("grafana", "prometheus"),
    ],
)
def test_who_needs_another_reaches_it(one: str, other: str) -> None:
    assert _shared_networks(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("proxy", "kafka"), ("proxy", "postgres"), ("edge", "postgres"), ("grafana", "postgres")],
)
def test_who_needs_another_not_does_not_reach_it(one: str, other: str) -> None:
    assert not _shared_networks(one, other)


def test_proxy_lets_through_what_the_edge_takes_and_waits_for_its_answer(tmp_path: Path) -> None:
    settings = settings_of("edge", tmp_path)
    text = PROXY.read_text()
    largest = re.search(r"max_size (\d+)MiB", text)
    patience = re.search(r"response_header_timeout (\d+)s", text)

    assert largest is not None
    assert patience is not None
    assert int(largest[1]) * MEBIBYTE > settings.edge.body_limit_bytes
    longest = max(endpoint.deadline_seconds for endpoint in settings.endpoints.values())
    assert int(patience[1]) > longest


def test_proxy_reads_the_variables_it_is_given() -> None:
    read = set(re.findall(r"\{\$(\w+)", PROXY.read_text()))

    assert read == set(SERVICES["proxy"]["environment"])
    assert SERVICES["proxy"]["ports"] == ["${PROXY_PORT:-443}:443"]


def test_proxy_never_answers_success_by_itself() -> None:
    answers = re.findall(r"^\s*respond (\d+)$", PROXY.read_text(), re.MULTILINE)

    assert answers == ["404", "421"]


def test_prometheus_reads_rules_from_where_they_are_mounted() -> None:
    (pattern,) = PROMETHEUS["rule_files"]
    # Relative to its configuration, which is mounted next to them.
    folder = f"/etc/prometheus/{pattern.removesuffix('/*.yml')}"

    assert bind_mounts("prometheus")[folder] == "./deploy/prometheus/rules"


def test_prometheus_scrapes_services_of_this_file() -> None:
    for targets in scrape_targets().values():
        assert {target.split(":")[0] for target in targets} <= set(SERVICES)
