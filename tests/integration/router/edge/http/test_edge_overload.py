"""An edge that cannot answer in time refuses at once, and counts time from the first byte."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from router.edge.app import EdgeProcess
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import ready_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import connected, head, request

_WHOLE = request("/webhooks/shop", GENUINE.headers, GENUINE.body)


def _late(seconds: float):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def change(process: EdgeProcess) -> None:
        process.app.delay = lambda: seconds

    return change


async def test_a_request_that_cannot_be_answered_in_time_is_refused_before_its_body_is_read(
    broker: Broker, topics_prefix: str
) -> None:
    length = ("Content-Length", "1000")

    async with (
        ready_edge(broker.bootstrap, topics_prefix, change=_late(60)) as edge,
        connected(edge.port) as line,
    ):
        await line.send(head("/webhooks/shop", [*GENUINE.headers, length]))
        answer = await line.answer()

        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert answer.header("connection") == "close"
        assert (await edge.reasons())["blockatm", "failed", "overloaded"] == 1
        assert edge.delivery_lines() == []


async def test_heads_of_one_turn_whose_bodies_are_missing_do_not_keep_a_delivery_out(
    broker: Broker, topics_prefix: str
) -> None:
    opened = head("/webhooks/shop", [("Content-Length", "4096")])

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, AsyncExitStack() as lines:
        places = edge.process.app.places
        places.most, places.limit = 3, 3.0
        strangers = [await lines.enter_async_context(connected(edge.port)) for _ in range(5)]
        genuine = await lines.enter_async_context(connected(edge.port))
        # Written without a pause: the loop, which is that of the edge, reads all in one turn.
        for line in strangers:
            line.writer.write(opened)
        genuine.writer.write(_WHOLE)

        assert (await genuine.answer()).status == 200


async def test_whole_requests_of_one_turn_are_handled_only_as_far_as_there_are_places(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, AsyncExitStack() as lines:
        places = edge.process.app.places
        places.most, places.limit = 3, 3.0
        senders = [await lines.enter_async_context(connected(edge.port)) for _ in range(5)]
        for line in senders:
            line.writer.write(_WHOLE)

        statuses = [(await line.answer()).status for line in senders]
        assert sorted(statuses) == [200] * 3 + [503] * 2


async def test_refusal_under_overload_counts_in_the_availability_alerts(
    broker: Broker, topics_prefix: str
) -> None:
    counted = b'delivery_duration_seconds_count{outcome="failed",provider="blockatm"} %d.0'

    async with ready_edge(broker.bootstrap, topics_prefix, change=_late(60)) as edge:
        assert counted % 0 in (await edge.probe("/metrics")).body
        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 503

        assert counted % 1 in (await edge.probe("/metrics")).body
        assert (await edge.counted())["shop", "failed"] == 1


async def test_a_refusal_of_a_whole_request_under_overload_keeps_the_connection(
    broker: Broker, topics_prefix: str
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix, change=_late(60)) as edge,
        connected(edge.port) as line,
    ):
        await line.send(_WHOLE * 2 + _WHOLE)
        statuses = [(await line.answer()).status for _ in range(3)]
        edge.process.app.delay = lambda: 0.0
        await line.send(_WHOLE)

        assert statuses == [503, 503, 503]
        assert (await line.answer()).status == 200
        await asyncio.sleep(1.1)
        shed = [entry for entry in edge.log if entry["event"] == "deliveries_shed"]
        assert [(entry["endpoint"], entry["count"]) for entry in shed] == [("shop", 3)]


async def test_an_unknown_endpoint_is_not_found_even_under_overload(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix, change=_late(60)) as edge:
        assert (await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/nobody")).status == 404


async def test_the_deadline_counts_from_the_first_byte_of_the_head(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        sent = request("/webhooks/quick_one", GENUINE.headers, GENUINE.body)
        await line.send(sent[:20])
        await asyncio.sleep(1.2)
        await line.send(sent[20:])

        assert (await line.answer()).status == 503


async def test_time_that_bytes_waited_for_the_loop_counts_towards_the_deadline(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix, waited=1.5) as edge:
        quick = await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/quick_one")
        patient = await edge.post(GENUINE.headers, GENUINE.body)

        assert (quick.status, patient.status) == (503, 200)


async def test_a_busy_loop_is_measured_as_the_time_that_bytes_waited(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        async with edge.process.loop_delay.measured(), connected(edge.port) as line:
            await asyncio.sleep(0.05)
            await line.send(request("/webhooks/quick_one", GENUINE.headers, GENUINE.body))
            time.sleep(1.5)  # noqa: ASYNC251 - the loop is busy while the bytes wait

            answer = await line.answer()

        assert (answer.status, answer.header("retry-after")) == (503, "5")


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_delivery_within_its_deadline_is_answered_however_it_arrives(
    broker: Broker, topics_prefix: str, pieces: int
) -> None:
    size = len(_WHOLE) // pieces + 1

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for at in range(0, len(_WHOLE), size):
            await line.send(_WHOLE[at : at + size])
            await asyncio.sleep(0.05)

        assert (await line.answer()).status == 200
