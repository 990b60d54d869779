"""All messages of all gateways, over HTTP to a real edge and to Kafka."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import load_settings
from router.contract.quarantine import Quarantined
from router.delivery import Delivery, kept_delivery
from router.edge.endpoints import build_endpoints
from router.evaluation.data_dir import DataDir
from router.providers import examples
from tests.conformance import kit
from tests.conformance.kit import AT, PAID, Case
from tests.conformance.misshapen import shapes
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import Record, RunningEdge, make_topics, running_edge
from tests.parts.edge.raw_http import Answer, exchange, request

_AMOUNT = "18446744073709551617.000000000000000001"


def _asked(case: Case, number: int) -> Delivery:
    order = f"{case.kind}-{case.status}-{case.variant or ''}-{number}"
    return kit.side(case.provider).made(case, number=number, order=order, amount=_AMOUNT)


async def _post(edge: RunningEdge, delivery: Delivery) -> Answer:
    gate = edge.process.app.gates[delivery.endpoint]
    target = delivery.target.replace("{token}", (gate.token or b"").decode(), 1)
    # Header names as gateways write them; they are the same in any case.
    headers = [(name.title(), value) for name, value in delivery.headers]
    body = delivery.body or None if delivery.method == "GET" else delivery.body
    return await exchange(edge.port, request(target, headers, body, delivery.method))


def _configured(name: str, bootstrap: str, prefix: str) -> dict[str, Any]:
    table = {**kit.side(name).table, "deadline_seconds": 20}
    values = kit.values({"shop-1": table}, prefix)
    return {**values, "kafka": {"bootstrap_servers": bootstrap}}


def _family(record: Record, prefix: str) -> str:
    return record.topic.removeprefix(prefix)


@pytest.mark.parametrize("name", kit.providers())
async def test_each_kind_of_each_provider_arrives_on_its_topic(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    sent = [(case, _asked(case, number)) for number, case in enumerate(kit.cases(name), 100)]
    await make_topics(broker.bootstrap, topics_prefix)

    async with running_edge(_configured(name, broker.bootstrap, topics_prefix)) as edge:
        edge.clock.now = AT
        await edge.until_ready()
        answers = [await _post(edge, delivery) for _, delivery in sent]
        records = await edge.records()

    assert edge.direct.taken == sum(delivery.method == "POST" for _, delivery in sent)
    answer = kit.side(name).provider.answer
    assert {(one.status, one.body) for one in answers} == {(answer.status, answer.body)}
    assert {one.header("content-type") for one in answers} == {answer.content_type}
    told = {
        json.loads(record.value)["id"]: (_family(record, topics_prefix), record)
        for record in records
    }
    for case, delivery in sent:
        for event in kit.side(name).normalized(delivery):
            family, record = told.pop(str(event.id))
            value = json.loads(record.value)
            assert (family, value["type"]) == (case.kind, f"{case.kind}.{case.status}")
            named = (
                [event.reference] if event.reference else [event.provider, event.provider_reference]
            )
            assert json.loads(record.key) == ["shop-1", *named]
            if case.status in PAID and case.kind == "payment":
                assert Decimal(value["amount"]) == Decimal(_AMOUNT)
    assert told == {}


def _misshapen(name: str) -> list[Delivery]:
    """Let a gateway sign malformed content, once in each method and content type."""
    own = kit.side(name)
    forms: dict[tuple[str, ...], Delivery] = {}
    for case in kit.cases(name):
        made = own.made(case)
        forms.setdefault((made.method, *made.header("content-type")), made)
    return [
        kit.resigned(own, made, words)
        for made in forms.values()
        for words in shapes(kit.said(made)).values()
        # A URL on the wire has no other bytes.
        if made.method == "POST" or words.isascii()
    ]


@pytest.mark.parametrize("name", kit.providers())
async def test_each_malformed_delivery_of_each_provider_is_stored_completely(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    sent = _misshapen(name)
    await make_topics(broker.bootstrap, topics_prefix)

    async with running_edge(_configured(name, broker.bootstrap, topics_prefix)) as edge:
        edge.clock.now = AT
        await edge.until_ready()
        answers = [await _post(edge, delivery) for delivery in sent]
        records, counted = await edge.records(), await edge.counted()

    assert {one.status for one in answers} == {kit.side(name).provider.answer.status}
    kept = [
        Quarantined.model_validate_json(record.value)
        for record in records
        if _family(record, topics_prefix) == "quarantine"
    ]
    said = [(each.raw.target, kept_delivery(each.raw, "", "", AT).body) for each in kept]
    assert len(said) >= 3
    assert set(said) <= {(delivery.target, delivery.body) for delivery in sent}
    quarantined = {key: n for key, n in counted.items() if key[1] == "quarantined"}
    assert sum(quarantined.values()) == len(kept)
    assert sum(counted.values()) == len(sent)
    assert {key[1] for key in counted} <= {"accepted", "quarantined"}


def test_dev_without_a_configuration_makes_an_endpoint_for_every_gateway(tmp_path: Path) -> None:
    path = DataDir(tmp_path / "data").generate(examples())

    settings = load_settings(path, {"PAYROUTER_EDGE__PUBLIC_URL": kit.PUBLIC_URL})

    assert {name: one.provider for name, one in settings.endpoints.items()} == {
        name: name for name in kit.providers()
    }
    assert {name: one.provider.kinds for name, one in build_endpoints(settings).items()} == {
        name: kit.side(name).provider.kinds for name in kit.providers()
    }
