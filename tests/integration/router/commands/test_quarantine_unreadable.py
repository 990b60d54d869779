"""Commands for genuine but unreadable deliveries, on a real broker."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import Webhook, payment_webhook, webhook
from tests.parts.edge.edge_command import Command, command, configured
from tests.parts.edge.edge_server import SECRET, read_records, ready_edge
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of

_LATIN = webhook(b'{"name":"caf\xe9",' + body_of(PAYMENT)[1:])
_MARKED = webhook(b"\xef\xbb\xbf" + body_of(PAYMENT))
_CODED = payment_webhook().and_also("Content-Encoding", "br")
_SENT: Mapping[str, Webhook] = {"latin": _LATIN, "marked": _MARKED, "coded": _CODED}


@pytest.fixture
def payrouter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broker: Broker,
    topics_prefix: str,
) -> Command:
    """Store three unreadable deliveries; return a function that runs a command."""

    async def fill() -> None:
        async with ready_edge(broker.bootstrap, topics_prefix) as edge:
            for sent in _SENT.values():
                assert (await edge.post(sent.headers, sent.body)).status == 200
            counted = await edge.reasons()
        assert counted["blockatm", "quarantined", "not_parseable"] == 2
        assert counted["blockatm", "quarantined", "content_type"] == 1

    asyncio.run(fill())
    monkeypatch.chdir(tmp_path)
    shop = f'provider = "blockatm"\naccount = "shop-eu"\nsecrets = ["{SECRET}"]\n'
    kafka = f'[kafka]\nbootstrap_servers = "{broker.bootstrap}"\n'
    configured(f'{kafka}[topics]\nprefix = "{topics_prefix}"\n[endpoints.shop]\n{shop}')
    return command(monkeypatch, capsys)


def _kept(payrouter: Command) -> list[Any]:
    return [
        payrouter("quarantine", "show", entry["id"], "--json").json
        for entry in payrouter("quarantine", "list", "--json").json
    ]


def _bytes(raw: Mapping[str, Any]) -> bytes:
    body: str = raw["body"]
    return base64.b64decode(body) if raw["body_encoding"] == "base64" else body.encode()


def test_each_is_shown_whole_with_its_text_if_it_has_one(payrouter: Command) -> None:
    kept = _kept(payrouter)

    assert [_bytes(one["raw"]) for one in kept] == [sent.body for sent in _SENT.values()]
    assert [one["reason"] for one in kept] == ["not_parseable", "not_parseable", "content_type"]
    assert kept[2]["raw"]["headers"]["content-encoding"] == "br"
    said = payrouter("quarantine", "show", kept[0]["id"]).out
    assert "caf\\xe9" in said
    assert "CustNo_7" in said


def test_replay_of_unreadable_deliveries_gives_advice_and_changes_nothing(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    said = payrouter("quarantine", "replay", "--yes")

    assert said.status == 1
    assert said.out.count("still cannot be read") == 3
    assert said.out.count("look up the payment in the gateway's panel") == 3
    assert asyncio.run(read_records(broker.bootstrap, [f"{topics_prefix}payment"])) == []
    assert [one["replayed"] for one in _kept(payrouter)] == [None] * 3


@pytest.mark.parametrize("name", _SENT)
def test_verify_explains_that_it_is_genuine_and_where_it_goes(
    payrouter: Command, name: str
) -> None:
    sent = _SENT[name]
    lines = ["POST /webhooks/shop HTTP/1.1", *(f"{key}: {value}" for key, value in sent.headers)]
    head = "\r\n".join(lines) + "\r\n\r\n"
    Path("request.http").write_bytes(head.encode() + sent.body)

    said = payrouter(
        "verify", "blockatm", "--file", "request.http", "--at", "2025-03-27T07:24:30Z", "--json"
    )

    steps = {step["what"]: step for step in json.loads(said.out)["steps"]}
    assert said.status == 0
    assert steps["signature"]["good"] is True
    assert steps["meaning"]["found"].startswith("quarantine, ")
