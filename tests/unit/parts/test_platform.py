"""What `make platform` runs, and in which order it takes rights away."""

from collections import Counter
from pathlib import Path

from consumers.rights.needed import process_rights
from router.configuration.settings import load_settings
from tests.parts.platform.pods import Site, pods
from tests.parts.platform.taking import COMMANDS, has_effect, kafka_rounds

SECRETS = {
    **{
        f"payrouter-{name}": {"password": f"password-of-{name}"}
        for name in ("edge", "ledger", "inventory", "notifications", "exporter", "topics")
    },
    **{
        f"database-{name}": {"url": f"postgresql+asyncpg://{name}@localhost/shop"}
        for name in ("ledger", "inventory", "notifications", "reader", "owner")
    },
    "kafka-ca": {"ca.crt": "a certificate"},
    "payrouter-endpoints": {"payrouter.toml": "[endpoints]"},
    "notifications-hook": {"url": "json://localhost:1"},
}


def test_pods_are_those_of_the_chart_with_their_own_ports_and_files(tmp_path: Path) -> None:
    made = list(pods(Site(tmp_path, SECRETS, "localhost:9093")))

    assert Counter(pod.component for pod in made) == {
        **dict.fromkeys(("edge", "ledger", "inventory", "notifications"), 2),
        **dict.fromkeys(("exporter", "topics", "migrations"), 1),
    }
    ports = [port for pod in made for port in pod.ports.values()]
    assert len(set(ports)) == len(ports) == 2 * 2 + 3 * 2 + 1
    for pod in made:
        settings = load_settings(None, pod.main.environ)
        paths = [value for value in pod.main.environ.values() if value.startswith("/")]
        assert paths
        assert all(Path(path).is_file() and str(tmp_path) in path for path in paths)
        assert settings.topics.replication_factor == 3
        if pod.component != "migrations":
            assert pod.user == f"payrouter-{pod.component}"
            assert settings.kafka.bootstrap_servers == "localhost:9093"
            assert settings.kafka.security_protocol == "SASL_SSL"


def test_every_right_is_taken_once_and_of_a_process_one_at_a_time() -> None:
    rights = process_rights(load_settings(None, {}), lambda process: f"User:{process}")

    rounds = list(kafka_rounds(rights))
    taken = Counter((name, each) for together in rounds for name, each in together)
    assert set(taken.values()) == {1}
    assert len(taken) == sum(has_effect(each, own) for own in rights.values() for each in own)
    for together in rounds:
        counted = Counter(name for name, _ in together if name not in COMMANDS)
        assert set(counted.values()) <= {1}
        resources = [(name, each.resource) for name, each in together]
        assert len(set(resources)) == len(resources)
