"""Essential and descriptive fields, test and live money, from HTTP to Kafka."""

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from router.contract.event import DESCRIPTIVE
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import payment_webhook, webhook
from tests.parts.edge.edge_server import (
    RunningEdge,
    configuration,
    make_topics,
    ready_edge,
    running_edge,
)
from tests.parts.providers.blockatm_deliveries import PAYOUT, body_of


async def _unread(edge: RunningEdge) -> dict[str, float]:
    text = (await edge.probe("/metrics")).body.decode()
    return {
        sample.labels["field"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "payrouter_unread_fields_total"
        and sample.labels["provider"] == "blockatm"
    }


async def test_payment_with_unreadable_descriptions_is_an_event_that_names_them(
    broker: Broker, topics_prefix: str
) -> None:
    odd: dict[str, Any] = {
        "custNo": "half an emoji \ud83d",
        "network": "a\nb",
        "txId": "x" * 1000,
        "fromAddress": {},
        "blockTime": "yesterday",
    }
    sent = payment_webhook(**odd)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()
        counted = await _unread(edge)

    value = json.loads(record.value)
    unread = ["network", "tx_hash", "from_address", "customer.id", "occurred_at"]
    assert answer.status == 200
    assert record.topic == Topics(topics_prefix).name("payment")
    assert (value["amount"], value["unread"]) == ("13.410037", unread)
    assert {name for name, count in counted.items() if count} == set(unread)
    assert set(counted) == {*DESCRIPTIVE, "unknown"}


async def test_a_negative_fee_is_an_event_with_a_rebate(broker: Broker, topics_prefix: str) -> None:
    sent = webhook(body_of(PAYOUT, fee="-2"), "payout")

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    value = json.loads(record.value)
    assert (value["fee"], value["fee_currency"]) == ("-2", "USDT")


@pytest.mark.parametrize(
    ("mode", "chain", "topic"),
    [
        ("live", "1", "payment"),
        ("live", "11155111", "quarantine"),
        ("test", "11155111", "payment"),
        ("test", "1", "quarantine"),
    ],
)
async def test_money_is_accepted_only_by_an_endpoint_of_its_mode(
    broker: Broker, topics_prefix: str, mode: str, chain: str, topic: str
) -> None:
    values = configuration(broker.bootstrap, topics_prefix)
    values["endpoints"] = {"shop": {**values["endpoints"]["shop"], "mode": mode}}
    await make_topics(broker.bootstrap, topics_prefix)
    sent = payment_webhook(chainId=chain)

    async with running_edge(values) as edge:
        await edge.until_ready()
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()
        counted = await edge.reasons()

    reason = {"live": "test_money", "test": "live_money"}[mode]
    value = json.loads(record.value)
    assert (answer.status, answer.body) == (200, b"OK")
    assert record.topic == Topics(topics_prefix).name(topic)
    if topic == "quarantine":
        assert value["reason"] == reason
        assert counted == {("blockatm", "quarantined", reason): 1}
    else:
        assert (value["test"] is True) is (mode == "test")
