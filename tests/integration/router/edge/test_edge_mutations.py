"""Outcomes of genuine deliveries that were tampered with."""

from datetime import timedelta

import pytest

from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import payment_webhook
from tests.parts.edge.edge_server import RunningEdge, ready_edge
from tests.parts.edge.mutations import (
    FORGED,
    GENUINE,
    NOT_UNDERSTOOD,
    OUTSIDE_WINDOW,
    UNREADABLE,
    WINDOW,
    Spoilt,
)
from tests.parts.edge.raw_http import Answer
from tests.parts.providers.blockatm_deliveries import RECEIVED

_SIGNED_AT = RECEIVED - timedelta(seconds=1)
"""What the deliveries say."""


async def _sent(edge: RunningEdge, spoilt: Spoilt, target: str = "/webhooks/shop") -> Answer:
    edge.clock.now = _SIGNED_AT + spoilt.signed_ago
    return await edge.post(spoilt.sent.headers, spoilt.sent.body, target)


async def _assert_row_of_the_table(edge: RunningEdge, spoilt: Spoilt, answer: Answer) -> None:
    (line,) = edge.delivery_lines()
    assert answer.status == spoilt.status
    assert answer.header("retry-after") is None
    assert (line["outcome"], line["reason"]) == (spoilt.outcome, spoilt.reason)
    assert (line["status"], line["events"]) == (spoilt.status, [])
    assert edge.direct.taken == 1
    assert await edge.counted() == {("shop", spoilt.outcome): 1}
    assert await edge.reasons() == {("blockatm", spoilt.outcome, spoilt.reason): 1}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_delivery_publishes_nothing(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    spoilt = FORGED[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await _sent(edge, spoilt)

        assert await edge.records() == []
        await _assert_row_of_the_table(edge, spoilt, answer)


@pytest.mark.parametrize("name", [*UNREADABLE, *NOT_UNDERSTOOD, *OUTSIDE_WINDOW])
async def test_genuine_delivery_without_effect_is_only_on_quarantine(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    spoilt = {**UNREADABLE, **NOT_UNDERSTOOD, **OUTSIDE_WINDOW}[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await _sent(edge, spoilt)

        (record,) = await edge.records()
        assert record.topic == edge.topics.quarantine
        await _assert_row_of_the_table(edge, spoilt, answer)


async def test_refusals_of_one_kind_have_the_same_answer(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        forged = [await _sent(edge, spoilt) for spoilt in FORGED.values()]
        outside = [await _sent(edge, spoilt) for spoilt in OUTSIDE_WINDOW.values()]

    assert len({*forged, *outside}) == 1
    assert forged[0].body == b"unauthorized\n"


@pytest.mark.parametrize("ago", [WINDOW, -WINDOW, timedelta(0)])
async def test_delivery_signed_exactly_one_window_ago_is_accepted(
    broker: Broker, topics_prefix: str, ago: timedelta
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        edge.clock.now = _SIGNED_AT + ago
        answer = await edge.post(GENUINE.headers, GENUINE.body)

        assert answer.status == 200
        assert [record.topic for record in await edge.records()] == [edge.topics.name("payment")]


@pytest.mark.parametrize(("seconds", "status"), [(300, 200), (301, 401), (-300, 200), (-301, 401)])
async def test_an_endpoint_has_the_window_that_is_configured_for_it(
    broker: Broker, topics_prefix: str, seconds: int, status: int
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        edge.clock.now = _SIGNED_AT + timedelta(seconds=seconds)
        answer = await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/narrow")

        assert answer.status == status


async def test_stale_deliveries_are_stored_up_to_the_limit_of_their_endpoint(
    broker: Broker, topics_prefix: str
) -> None:
    stale = [payment_webhook(id=number) for number in range(6)]

    async with ready_edge(broker.bootstrap, topics_prefix, stale_per_minute=2) as edge:
        edge.clock.now = _SIGNED_AT + WINDOW + timedelta(hours=1)
        shop = [await edge.post(sent.headers, sent.body) for sent in stale]
        other = await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/shop-two")

        records = await edge.records()
        assert {answer.status for answer in (*shop, other)} == {401}
        assert {record.topic for record in records} == {edge.topics.quarantine}
        assert sorted(record.key for record in records) == [b"shop", b"shop", b"shop-two"]
        assert await edge.counted() == {("shop", "refused"): 6, ("shop-two", "refused"): 1}
        assert await edge.reasons() == {("blockatm", "refused", "stale"): 7}


async def test_genuine_delivery_is_accepted_after_every_tampered_one(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for spoilt in (*FORGED.values(), *UNREADABLE.values()):
            await _sent(edge, spoilt)
        answer = await _sent(edge, Spoilt(GENUINE, 200, "accepted", "none"))

        assert answer.status == 200
        topics = [record.topic for record in await edge.records()]
        assert topics.count(edge.topics.name("payment")) == 1
