"""Repeated deliveries: always a success, always the same event."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from router.contract.event import Event, fingerprint
from router.contract.wire import decode_event
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import SIGNATURE, given, payment_webhook, webhook
from tests.parts.edge.edge_server import Record, configuration, ready_edge, running_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.providers.blockatm_deliveries import RECEIVED, TIME, sample

_TIMES = 50
_ENDPOINTS = ("/webhooks/shop", "/webhooks/shop-two")


def _events(records: Sequence[Record]) -> list[Event]:
    return [decode_event(record.value, record.headers) for record in records]


@pytest.mark.parametrize("at_once", [True, False])
async def test_one_delivery_over_two_edges_and_two_endpoints_is_one_event(
    broker: Broker, topics_prefix: str, *, at_once: bool
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix) as first,
        running_edge(configuration(broker.bootstrap, topics_prefix)) as second,
    ):
        await second.until_ready()
        posts = [
            (first, second)[number % 2].post(
                GENUINE.headers, GENUINE.body, _ENDPOINTS[number // 2 % 2]
            )
            for number in range(_TIMES)
        ]
        answers = await asyncio.gather(*posts) if at_once else [await post for post in posts]
        records = await first.records()

    events = _events(records)
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"OK")}
    assert (len(answers), len(records)) == (_TIMES, _TIMES)
    assert {event.endpoint for event in events} == {"shop", "shop-two"}
    assert len({event.id for event in events}) == 1
    assert len({fingerprint(event) for event in events}) == 1
    assert len({(record.topic, record.key) for record in records}) == 1
    assert {dict(record.headers)["ce_id"] for record in records} == {str(events[0].id).encode()}


async def test_a_retry_with_a_new_time_and_signature_is_the_same_event(
    broker: Broker, topics_prefix: str
) -> None:
    retry = webhook(GENUINE.body, time=str(int(TIME) + 3_600_000))

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        first = await edge.post(GENUINE.headers, GENUINE.body)
        edge.clock.now = RECEIVED + timedelta(hours=1)
        second = await edge.post(retry.headers, retry.body)
        events = _events(await edge.records())

        assert (first.status, second.status) == (200, 200)
        assert retry.value(SIGNATURE) != GENUINE.value(SIGNATURE)
        assert len({event.id for event in events}) == 1
        assert len({fingerprint(event) for event in events}) == 1
        assert len({event.received_at for event in events}) == 2
        assert {line["log_level"] for line in edge.log} == {"info"}


async def test_a_delivery_signed_in_either_way_is_the_same_event(
    broker: Broker, topics_prefix: str
) -> None:
    body = sample("published-payment-compact")
    signatures = (
        "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
        "26a0431d97b1d4078acfcaf94151623a184c339df890cf5d3aba4f3c9c382053",
    )

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for signed in signatures:
            sent = given(body, signed)
            assert (await edge.post(sent.headers, sent.body)).status == 200
        events = _events(await edge.records())

    assert len({event.verification.scheme for event in events}) == 2
    assert len({event.id for event in events}) == 1
    assert len({fingerprint(event) for event in events}) == 1


async def test_another_status_or_another_payment_is_another_event(
    broker: Broker, topics_prefix: str
) -> None:
    others = [GENUINE, payment_webhook(status="PENDING"), payment_webhook(id=1)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for sent in others:
            assert (await edge.post(sent.headers, sent.body)).status == 200
        events = _events(await edge.records())

    assert len({event.id for event in events}) == 3


async def test_status_with_another_amount_is_another_event_of_the_same_payment(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for sent in (GENUINE, payment_webhook(amount="13.42")):
            assert (await edge.post(sent.headers, sent.body)).status == 200
        events = _events(await edge.records())

    assert len({event.id for event in events}) == 2
    assert len({event.provider_reference for event in events}) == 1
    assert len({event.key for event in events}) == 1


async def test_events_of_an_order_are_in_one_partition_in_order_of_arrival(
    broker: Broker, topics_prefix: str
) -> None:
    statuses = ["PENDING", "EXPIRED", "SUCCESS", "PENDING"]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for number, status in enumerate(statuses):
            sent = payment_webhook(id=number, status=status)
            await edge.post(sent.headers, sent.body, _ENDPOINTS[number % 2])
        events = _events(await edge.records())

    assert [event.provider_reference for event in events] == ["0", "1", "2", "3"]
