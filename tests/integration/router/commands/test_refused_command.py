"""`payrouter refused` and `payrouter verify --refused`, on a real broker."""

import asyncio
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from router.commands.actions.refused import read_samples, show_list
from router.configuration.settings import load_settings
from router.quarantine.kept_topic import KeptFilter
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import SIGNATURE, webhook
from tests.parts.edge.edge_command import Command, Said, command, configured
from tests.parts.edge.edge_server import (
    SECRET,
    TOKEN,
    RunningEdge,
    configuration,
    make_topics,
    running_edge,
)
from tests.parts.edge.mutations import GENUINE
from tests.parts.terminal import terminal_of
from tests.parts.waiting import eventually

_FORGED = GENUINE.with_body(GENUINE.body + b"\n")
_NEW_SECRET = "another-secret-0123456789"
_ROTATED = webhook(GENUINE.body, secret=_NEW_SECRET.encode())
_SOURCE = "2001:db8:85a3:1234:5678:8a2e:370:7334"
_SHORT = 8
_LONG = GENUINE.with_body(GENUINE.body + b" " * 20_000)
_SECRET_INSIDE = GENUINE.with_body(b'{"k":"' + SECRET.encode() + b'"}')


def _configuration(broker: Broker, prefix: str) -> str:
    own = f'provider = "blockatm"\naccount = "shop-eu"\nsecrets = ["{SECRET}"]\n'
    return f"""
[kafka]
bootstrap_servers = "{broker.bootstrap}"
[topics]
prefix = "{prefix}"
replication_factor = 1
min_insync_replicas = 1
[endpoints.shop]
{own}
[endpoints.narrow]
{own}
[endpoints.guarded]
token = "{TOKEN}"
{own}
[endpoints.fenced]
{own}
[endpoints.shop-two]
{own}
"""


async def _kept(edge: RunningEdge, count: int) -> None:
    """Wait until this many samples were stored."""
    counted = f'result="kept"}} {count}.0'.encode()

    async def kept() -> bool:
        return counted in (await edge.probe("/metrics")).body

    await eventually(kept, f"{count} samples kept", seconds=30)


@pytest.fixture
def payrouter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broker: Broker,
    topics_prefix: str,
) -> Command:
    """Make an edge refuse six deliveries; give a function that runs a command."""

    async def fill() -> None:
        await make_topics(broker.bootstrap, topics_prefix)
        values = configuration(broker.bootstrap, topics_prefix, trusted_proxies=["127.0.0.1"])
        values["endpoints"]["fenced"] = {
            **values["endpoints"]["shop"],
            "allow_from": ["198.51.100.0/24"],
        }
        posts = [
            ((*_FORGED.headers, ("X-Forwarded-For", _SOURCE)), _FORGED.body, "shop"),
            (GENUINE.without(SIGNATURE).headers, b"\xff\xfe", "narrow"),
            (_LONG.headers, _LONG.body, "shop"),
            (_SECRET_INSIDE.headers, _SECRET_INSIDE.body, f"guarded/{TOKEN}"),
            (GENUINE.headers, GENUINE.body, "fenced"),
            (_ROTATED.headers, _ROTATED.body, "shop-two"),
        ]
        async with running_edge(values) as edge:
            await edge.until_ready()
            for headers, body, path in posts:
                await edge.post(headers, body, f"/webhooks/{path}")
                edge.clock.now += timedelta(seconds=1)
            await _kept(edge, 6)

    asyncio.run(fill())
    monkeypatch.chdir(tmp_path)
    configured(_configuration(broker, topics_prefix))
    return command(monkeypatch, capsys)


def _id(payrouter: Command, *filters: str) -> str:
    (found,) = payrouter("refused", "list", "--json", *filters).json["deliveries"]
    return str(found["id"])


def _steps(said: Said) -> dict[str, list[tuple[str, bool | None]]]:
    found: dict[str, list[tuple[str, bool | None]]] = {}
    for step in said.json["steps"]:
        found.setdefault(step["what"], []).append((step["found"], step["good"]))
    return found


def test_the_list_has_every_sample_the_newest_last_and_counts_by_reason(
    payrouter: Command,
) -> None:
    told = payrouter("refused", "list", "--json").json
    people = payrouter("refused", "list")

    assert told["counts"] == {"signature_wrong": 4, "signature_missing": 1, "address": 1}
    received = [each["received_at"] for each in told["deliveries"]]
    assert received == sorted(received)
    endpoints = [each["endpoint"] for each in told["deliveries"]]
    assert endpoints == ["shop", "narrow", "shop", "guarded", "fenced", "shop-two"]
    assert all("raw" not in each for each in told["deliveries"])
    assert people.out.splitlines()[-1] == (
        "by reason: 4 signature_wrong, 1 signature_missing, 1 address"
    )
    assert told["deliveries"][0]["id"][:_SHORT] in people.out


def test_filters_and_limit(payrouter: Command) -> None:
    def listed(*options: str) -> list[str]:
        found = payrouter("refused", "list", "--json", *options).json["deliveries"]
        return [each["endpoint"] for each in found]

    assert sorted(listed()) == ["fenced", "guarded", "narrow", "shop", "shop", "shop-two"]
    assert listed("--reason", "signature_missing") == ["narrow"]
    assert listed("--endpoint", "shop") == ["shop", "shop"]
    assert listed("--provider", "blockbee") == []
    assert listed("--source", _SOURCE) == ["shop"]
    assert listed("--since", "2099-01-01") == []
    assert len(listed("--limit", "1")) == 1
    assert "older ones not shown: 5;" in payrouter("refused", "list", "--limit", "1").err


def test_the_list_fits_into_eighty_columns_with_each_sample_on_one_line(
    payrouter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    del payrouter
    settings = load_settings(Path("payrouter.toml"), {})
    found = read_samples(settings, KeptFilter())
    short = [each for each in found.entries if ":" not in each.source]
    terminal = terminal_of(monkeypatch)

    show_list(short, found.counts)

    head, *lines, _counts = terminal.plain.splitlines()
    assert head.split() == ["id", "received", "endpoint", "source", "reason"]
    assert len(lines) == len(short)
    assert max(map(len, lines)) <= 80
    assert all(str(each.id)[:_SHORT] in line for each, line in zip(short, lines, strict=True))


def test_one_is_shown_in_full_by_the_beginning_of_its_id(payrouter: Command) -> None:
    id_ = _id(payrouter, "--reason", "signature_missing")

    shown = payrouter("refused", "show", id_[:_SHORT], "--json").json
    people = payrouter("refused", "show", id_)
    nothing = payrouter("refused", "show", "ffffffff-0")

    assert (shown["id"], shown["raw"]["body"], shown["body_bytes"]) == (id_, "//4=", 2)
    assert "signature_missing" in people.out
    assert (nothing.status, nothing.out) == (1, "")
    assert nothing.err == (
        "payrouter: there are no refused deliveries with an id that begins with ffffffff-0\n"
    )


def test_verify_explains_a_sample_as_of_its_arrival(payrouter: Command) -> None:
    id_ = _id(payrouter, "--source", _SOURCE)

    said = payrouter("verify", "blockatm", "--refused", id_[:_SHORT], "--json")
    steps = _steps(said)

    assert said.status == 1
    assert "signature_wrong" in steps["refused"][0][0]
    assert f"from {_SOURCE}" in steps["refused"][0][0]
    assert steps["request"] == [("POST /webhooks/shop", True)]
    assert steps["signature"][0][1] is False
    assert steps["hint"][0][0].startswith("without the line end after the body")
    assert SECRET not in said.out


def test_a_sample_under_a_key_that_was_added_since_would_be_accepted(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    rotated = ("verify", "blockatm", "--refused", _id(payrouter, "--endpoint", "shop-two"))

    before = payrouter(*rotated, "--json")
    text = _configuration(broker, topics_prefix)
    configured(text.replace(f'"{SECRET}"', f'"{SECRET}", "{_NEW_SECRET}"'))
    after = payrouter(*rotated, "--json")
    late = payrouter(*rotated, "--at", "2025-04-01", "--json")

    assert (before.status, after.status, late.status) == (1, 0, 1)
    assert _steps(after)["time"][0][0].endswith("within the window")
    assert _steps(after)["meaning"][0][0].startswith("payment.confirmed")
    assert _NEW_SECRET not in after.out


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        (("--endpoint", "guarded"), "a secret or token in it was masked"),
        (("--endpoint", "fenced"), "the delivery was refused before its body was read"),
        (
            ("--endpoint", "shop", "--source", "127.0.0.1"),
            f"only the first 16384 of {len(_LONG.body)} bytes of its body were stored",
        ),
    ],
)
def test_verify_explains_why_a_signature_cannot_be_recomputed_and_shows_the_rest(
    payrouter: Command, filters: tuple[str, ...], why: str
) -> None:
    said = payrouter("verify", "blockatm", "--refused", _id(payrouter, *filters), "--json")
    steps = _steps(said)

    assert said.status == 1
    assert steps["signature"] == [(f"cannot be recomputed: {why}", False)]
    assert steps["header blockatm-signature-v2"][0][1] is True
    assert ("body" in steps) is ("body was read" not in why)
    assert not any(what.startswith(("form", "key ")) for what in steps)


def test_a_signature_header_whose_value_was_masked_is_named_as_the_cause(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    text = _configuration(broker, topics_prefix)
    hmac = """
[endpoints.hmac]
provider = "generic_hmac"
secrets = ["0123456789abcdef"]
signature_header = "Authorization"
algorithm = "sha256"
encoding = "hex"
signed = "{body}"
[endpoints.hmac.mapping]
gateway = "acme"
event = "event"
events = { paid = "payment.confirmed" }
fields = { provider_reference = "id", amount = "amount", currency = "currency" }
"""
    configured(text + hmac)
    values = {**tomllib.loads(text + hmac), "edge": {"port": 0, "management_port": 0}}

    async def refuse() -> None:
        async with running_edge(values) as edge:
            await edge.until_ready()
            headers = [("Content-Type", "application/json"), ("Authorization", "ab" * 32)]
            await edge.post(headers, b"{}", "/webhooks/hmac")
            await _kept(edge, 1)

    asyncio.run(refuse())
    id_ = _id(payrouter, "--endpoint", "hmac")
    said = payrouter("verify", "generic_hmac", "--refused", id_, "--json")

    assert _steps(said)["signature"] == [
        ("cannot be recomputed: the value of a header that verification needs was masked", False)
    ]


@pytest.mark.parametrize("arguments", [(), ("--file", "payrouter.toml", "--refused", "a")])
def test_either_a_file_or_a_sample_is_explained(
    payrouter: Command, arguments: tuple[str, ...]
) -> None:
    said = payrouter("verify", "blockatm", *arguments)

    assert said.status == 2
    assert "expected either --file or --refused" in said.err


def test_a_sample_of_another_provider_is_wrong_usage(payrouter: Command) -> None:
    id_ = _id(payrouter, "--reason", "signature_missing")

    said = payrouter("verify", "blockbee", "--refused", id_)

    assert said.status == 2
    assert said.err == "payrouter: --endpoint: there is no endpoint narrow of blockbee\n"


@pytest.mark.kafka
@pytest.mark.parametrize("group", ["refused", "quarantine"])
def test_a_topic_that_is_not_there_is_named_and_not_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broker: Broker,
    topics_prefix: str,
    group: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    configured(_configuration(broker, topics_prefix))

    said = command(monkeypatch, capsys)(group, "list")

    assert (said.status, said.out) == (1, "")
    missing = f"the broker has no topic {topics_prefix}{group}: run `payrouter topics apply`"
    assert said.err == f"payrouter: {missing}\n"
