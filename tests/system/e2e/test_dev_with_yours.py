"""`payrouter dev` with an existing broker and database, and with simulated traffic."""

import json
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.parts.brokers import Broker
from tests.parts.dev_process import Dev, Place, alive, place_in, started
from tests.parts.waiting import until

ENOUGH = 120
PASSWORD = "kept-2-itself-in-the-query"


@pytest.fixture
def place(broker: Broker, database_url: str, topics_prefix: str, tmp_path: Path) -> Iterator[Place]:
    """Yield a folder with a configuration that names broker and database."""
    with place_in(tmp_path) as place:
        (tmp_path / "payrouter.toml").write_text(
            f"""
            [endpoints.shop]
            provider = "blockatm"
            account = "shop-eu"
            secrets = ["a-secret-of-the-shops-own"]
            [kafka]
            bootstrap_servers = "{broker.bootstrap}"
            [database]
            url = "{database_url}&password={PASSWORD}"
            [topics]
            prefix = "{topics_prefix}"
            partitions = 4
            replication_factor = 1
            min_insync_replicas = 1
            [edge]
            port = 1
            [consumers.ledger]
            group_id = "{topics_prefix}ledger"
            management_port = 2
            [consumers.inventory]
            group_id = "{topics_prefix}inventory"
            """
        )
        if broker.real:
            assert place.quick("topics", "apply").returncode == 0
        yield place


def deliveries(dev: Dev) -> Counter[str]:
    """Return the edge's delivery counts, by outcome."""
    url = f"http://127.0.0.1:{dev.port + 1000}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "payrouter_deliveries_total":
                counted[sample.labels["outcome"]] += int(sample.value)
    return counted


def test_dev_uses_configured_servers_and_leaves_them_running(place: Place, broker: Broker) -> None:
    with started(place) as dev:
        dev.until_ready()
        assert f"{broker.bootstrap}  (yours)" in dev.out
        assert "payrouter.toml  (yours)" in dev.out
        assert dev.out.count("(yours)") == 3
        assert PASSWORD not in dev.out
        said = place.run("send", "blockatm", "--order", "A-1", "--currency", "USDC")
        assert "to shop, answered 200" in said.stdout
        assert place.books(transactions=1)["balanced"]
        assert dev.child("router.evaluation.embedded") is None
        tree = dev.tree()
        assert dev.stop(signal.SIGTERM) == 0
        assert alive(tree) == []
    assert not (place.data_dir / "postgres").exists()
    assert place.json("ledger", "balance")["transactions"] == 1


def test_simulated_traffic_is_realistic_and_none_of_it_is_lost(
    place: Place,
) -> None:
    with started(place, "--rate", "20") as dev:
        dev.until_ready()
        until(lambda: deliveries(dev)["accepted"] >= ENOUGH, f"{ENOUGH} deliveries")
        assert set(+deliveries(dev)) == {"accepted"}
        assert dev.stop() == 0
        lines = [line for line in dev.log if line["event"] == "delivery"]
        assert "the edge answered" not in dev.err
    events = [event for line in lines for event in line["events"]]
    believable(events)
    assert {line["status"] for line in lines} == {200}
    assert place.json("ledger", "balance")["balanced"]
    shown = place.run("offsets", "show", "--json")
    fences = json.loads(shown.stdout)["ledger"]
    # All consumers have stopped, which the command reports as a problem.
    assert (shown.returncode, {fence["state"] for fence in fences}) == (1, {"no member"})
    applied = sum(fence[word] for fence in fences for word in ("applied", "duplicate", "stale"))
    assert applied == len(events)


def believable(events: list[dict[str, str]]) -> None:
    """Check that there are several orders, pending then confirmed, some delivered twice."""
    told: dict[str, list[str]] = {}
    for event in events:
        told.setdefault(event["reference"], []).append(event["type"])
    finished = [
        types for types in told.values() if {"payment.pending", "payment.confirmed"} <= set(types)
    ]
    assert len(told) > 10
    assert finished
    assert any(types[0] == "payment.pending" for types in finished)
    assert max(Counter(event["id"] for event in events).values()) > 1
