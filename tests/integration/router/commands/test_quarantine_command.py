"""`payrouter quarantine`: an operator's way, on a real broker."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from router.broker.topics.changing import alter
from router.broker.topics.contract import Change
from router.broker.topics.listing import administering
from router.contract.wire import decode_event
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import payment_webhook
from tests.parts.edge.edge_command import Command, command, configured
from tests.parts.edge.edge_server import SECRET, Record, read_records, ready_edge, running_edge
from tests.parts.edge.edge_server import configuration as edge_values
from tests.parts.providers.blockatm_deliveries import RECEIVED

_LATE = 3 * 24 * 3600
_UNKNOWN = payment_webhook(status="PAID")
_GENUINE = payment_webhook()


def _configuration(broker: Broker, prefix: str) -> str:
    return f"""
[kafka]
bootstrap_servers = "{broker.bootstrap}"
[topics]
prefix = "{prefix}"
[endpoints.shop]
provider = "blockatm"
account = "shop-eu"
secrets = ["{SECRET}"]
"""


@pytest.fixture
def payrouter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broker: Broker,
    topics_prefix: str,
) -> Command:
    """Keep three deliveries on quarantine, two of them one, and give what runs a command."""

    async def fill() -> None:
        # Each edge writes a delivery once, and does not know what another has written.
        async with ready_edge(broker.bootstrap, topics_prefix) as first:
            await first.post(_UNKNOWN.headers, _UNKNOWN.body)
        async with running_edge(edge_values(broker.bootstrap, topics_prefix)) as edge:
            await edge.until_ready()
            await edge.post(_UNKNOWN.headers, _UNKNOWN.body)
            await edge.post(_UNKNOWN.headers, _UNKNOWN.body)
            edge.clock.now = RECEIVED.fromtimestamp(RECEIVED.timestamp() + _LATE, RECEIVED.tzinfo)
            await edge.post(_GENUINE.headers, _GENUINE.body)

    asyncio.run(fill())
    monkeypatch.chdir(tmp_path)
    configured(_configuration(broker, topics_prefix))
    return command(monkeypatch, capsys)


def _on(broker: Broker, topic: str) -> list[Record]:
    return asyncio.run(read_records(broker.bootstrap, [topic]))


def test_the_list_shows_each_delivery_and_why_it_is_quarantined(payrouter: Command) -> None:
    unknown, stale = payrouter("quarantine", "list", "--json").json
    people = payrouter("quarantine", "list").out

    assert (unknown["reason"], unknown["times"], stale["reason"]) == ("unknown_status", 2, "stale")
    assert (stale["endpoint"], stale["replayed"]) == ("shop", None)
    assert "raw" not in unknown
    assert "unknown_status" in people
    assert unknown["id"] in people


def test_filters_and_limit(payrouter: Command) -> None:
    def listed(*options: str) -> list[str]:
        return [each["reason"] for each in payrouter("quarantine", "list", "--json", *options).json]

    assert listed("--reason", "stale") == ["stale"]
    assert listed("--limit", "1") == ["stale"]
    assert listed("--endpoint", "other") == []
    assert listed("--provider", "blockatm") == ["unknown_status", "stale"]
    assert listed("--since", "2025-03-28") == ["stale"]
    assert listed("--since", "2099-01-01") == []
    assert "older ones not shown: 1;" in payrouter("quarantine", "list", "--limit", "1").err


def test_one_is_shown_whole_by_the_beginning_of_its_id(payrouter: Command) -> None:
    unknown, _ = payrouter("quarantine", "list", "--json").json

    shown = payrouter("quarantine", "show", unknown["id"][:8], "--json").json
    nothing = payrouter("quarantine", "show", "ffffffff-0")

    assert shown["raw"]["body"].encode() == _UNKNOWN.body
    assert shown["id"] == unknown["id"]
    assert _UNKNOWN.body.decode() in payrouter("quarantine", "show", unknown["id"]).out
    assert (nothing.status, nothing.out) == (1, "")


def test_a_replay_is_previewed_then_runs_once_and_reports_it(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    stale = ("quarantine", "replay", "--reason", "stale")

    shown = payrouter(*stale)
    assert "would publish payment.confirmed" in shown.out
    assert "nothing was published; --yes does it" in shown.out
    assert _on(broker, f"{topics_prefix}payment") == []

    done = payrouter(*stale, "--yes", "--json").json
    (record,) = _on(broker, f"{topics_prefix}payment")
    event = decode_event(record.value, record.headers)
    assert [str(event.id)] == [each["id"] for each in done["deliveries"][0]["events"]]
    assert (event.received_at - RECEIVED).total_seconds() == _LATE

    second = payrouter(*stale, "--yes")
    assert second.status == 0
    assert "was replayed" in second.out
    assert len(_on(broker, f"{topics_prefix}payment")) == 1
    (listed,) = payrouter("quarantine", "list", "--reason", "stale", "--json").json
    assert listed["replayed"]["events"] == [str(event.id)]

    payrouter(*stale, "--yes", "--again")
    values = [json.loads(each.value) for each in _on(broker, f"{topics_prefix}payment")]
    assert [value["id"] for value in values] == [str(event.id)] * 2


def test_what_is_still_not_understood_fails_and_stays(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    said = payrouter("quarantine", "replay", "--yes")

    assert said.status == 1
    assert "still not understood, unknown_status" in said.out
    assert len(_on(broker, f"{topics_prefix}payment")) == 1
    unknown, stale = payrouter("quarantine", "list", "--json").json
    assert unknown["replayed"] is None
    assert stale["replayed"] is not None


@pytest.mark.kafka
def test_what_a_topic_refuses_is_named_and_holds_up_no_other(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    large = payment_webhook(note="x" * 5000)

    async def keep_a_large_one_first() -> None:
        async with running_edge(edge_values(broker.bootstrap, topics_prefix)) as edge:
            await edge.until_ready()
            edge.clock.now = RECEIVED + timedelta(days=2)
            await edge.post(large.headers, large.body)
        async with administering(
            lambda: AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap), broker.bootstrap
        ) as admin:
            assert await alter(admin, [Change(topic, {"max.message.bytes": "5000"})]) == {}

    asyncio.run(keep_a_large_one_first())
    said = payrouter("quarantine", "replay", "--reason", "stale", "--yes", "--json")

    first, second = said.json["deliveries"]
    assert said.status == 1
    assert first["problem"] == f"not published: topic {topic} refused it: MessageSizeTooLargeError"
    assert (second["problem"], len(second["events"])) == (None, 1)
    assert len(_on(broker, topic)) == 1
    listed = payrouter("quarantine", "list", "--reason", "stale", "--json").json
    assert [each["replayed"] is None for each in listed] == [True, False]


def test_without_a_broker_the_command_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    configured('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')

    said = command(monkeypatch, capsys)("quarantine", "list")

    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("payrouter: cannot reach the broker: 127.0.0.1:1: nothing listens")
