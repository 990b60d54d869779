"""The budget of connections with unverified requests, on a real edge."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from router.edge.app import EdgeProcess
from router.edge.http.bounds import HttpBounds
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import (
    RunningEdge,
    configuration,
    gave_way,
    make_topics,
    ready_edge,
    running_edge,
)
from tests.parts.edge.held_back import held_back
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import Connection, connected, head, request
from tests.parts.waiting import eventually

_TLS = Path(__file__).parents[4] / "samples" / "tls"
_LENGTH = ("Content-Length", str(len(GENUINE.body)))
_WAITING = head("/webhooks/shop", [*GENUINE.headers, _LENGTH])
_WHOLE = request("/webhooks/shop", GENUINE.headers, GENUINE.body)


async def _opened(
    edge: RunningEdge, lines: contextlib.AsyncExitStack, number: int, sent: bytes
) -> list[Connection]:
    opened = []
    for _ in range(number):
        line = await lines.enter_async_context(connected(edge.port))
        await line.send(sent)
        opened.append(line)
    return opened


async def _until_admitted(edge: RunningEdge, number: int) -> None:
    await eventually(lambda: edge.process.app.admission.count >= number, pause=0.01)


@pytest.mark.parametrize("sent", [b"", _WAITING], ids=["silent", "slow"])
async def test_full_budget_closes_the_slowest_and_accepts_a_genuine_delivery(
    broker: Broker, topics_prefix: str, sent: bytes
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix, max_unproved=8) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        lines = await _opened(edge, stack, 8, sent)
        await _until_admitted(edge, 8)

        for _ in range(3):
            assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200
        if sent:
            assert (await lines[0].answer()).status == 503
        assert await lines[0].ended()
        assert (await gave_way(edge)).keys() == {"arriving"}
        named = {line["source"] for line in edge.log if line["event"] == "connection_gave_way"}
        assert named == {"127.0.0.1"}


async def test_idle_connections_give_way_before_slow_requests(
    broker: Broker, topics_prefix: str
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix, max_unproved=8) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        slow = await _opened(edge, stack, 4, _WAITING)
        idle = await _opened(edge, stack, 4, _WHOLE)
        for line in idle:
            assert (await line.answer()).status == 200
        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200

        assert await idle[0].ended()
        assert await gave_way(edge) == {"spare": 1}
        for line in slow:
            await line.send(GENUINE.body)
            assert (await line.answer()).status == 200


async def test_request_that_gave_way_is_counted_as_failed(
    broker: Broker, topics_prefix: str
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix, max_unproved=8) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        await _opened(edge, stack, 8, _WAITING)
        await _until_admitted(edge, 8)
        await edge.post(GENUINE.headers, GENUINE.body)

        counted = await edge.reasons()
        assert counted["blockatm", "failed", "overloaded"] >= 1
        assert ("blockatm", "refused", "body_incomplete") not in counted


async def test_bytes_of_unproved_requests_have_a_budget(broker: Broker, topics_prefix: str) -> None:
    size = 200 * 1024
    large = head("/webhooks/shop", [*GENUINE.headers, ("Content-Length", str(size))])

    async with (
        ready_edge(broker.bootstrap, topics_prefix, unproved_bytes=1024 * 1024) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        lines = await _opened(edge, stack, 8, large)
        for line in lines:
            await line.send_until_closed(b"x" * 1024, 190)

        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200
        assert edge.process.app.admission.bytes <= 1024 * 1024
        assert (await gave_way(edge))["arriving"] >= 3


async def test_deliveries_being_published_leave_the_budget_to_others(
    broker: Broker, topics_prefix: str
) -> None:
    let_go = asyncio.Event()

    def hold(process: EdgeProcess) -> None:
        handler = process.app.handler
        handler.submit = held_back(handler.submit, let_go)

    async with (
        ready_edge(broker.bootstrap, topics_prefix, change=hold, max_unproved=8) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        lines = await _opened(edge, stack, 20, _WHOLE)
        await eventually(lambda: edge.process.app.places.taken >= 20, "20 places taken")
        assert edge.process.app.admission.count == 0
        let_go.set()

        assert {(await line.answer()).status for line in lines} == {200}
        assert await gave_way(edge) == {"spare": 12}


async def test_bytes_of_an_answered_request_no_longer_count(
    broker: Broker, topics_prefix: str
) -> None:
    forged = request("/webhooks/shop", GENUINE.headers, GENUINE.body + b" ")

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for _ in range(3):
            await line.send(forged)
            assert (await line.answer()).status == 401
            assert edge.process.app.admission.bytes == 0


async def test_budget_is_empty_once_every_connection_is_closed(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for sent in (_WHOLE, _WAITING, b"POST", b"garbage\r\n\r\n", _WHOLE * 3, b""):
            async with connected(edge.port) as line:
                await line.send(sent)
                if sent.startswith(_WHOLE):
                    await line.answer()
        admission = edge.process.app.admission
        await eventually(
            lambda: not (admission.count or admission.bytes), "an empty admission", seconds=20
        )

        assert admission.held() == {}
        assert edge.process.app.places.taken == 0


@contextlib.asynccontextmanager
async def _tls_edge(broker: Broker, prefix: str, **edge: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_cert_chain(_TLS / "certificate.pem", _TLS / "key.pem", password="")
    bounds = HttpBounds(handshake_seconds=0.3)
    values = configuration(broker.bootstrap, prefix, **edge)  # type: ignore[arg-type]
    await make_topics(broker.bootstrap, prefix)
    async with running_edge(values, bounds=bounds, certificate=certificate) as running:
        await running.until_ready()
        yield running


async def test_a_handshake_that_does_not_end_is_given_up(
    broker: Broker, topics_prefix: str
) -> None:
    async with _tls_edge(broker, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(b"\x16\x03\x01\x02\x00")

        with contextlib.suppress(ConnectionError):
            assert await line.ended()
        failures = [entry for entry in edge.log if entry["event"] == "tls_handshake_failed"]
        assert [(one["source"], one["reason"]) for one in failures] == [("127.0.0.1", "timed_out")]
        assert edge.process.app.admission.count == 0


async def test_handshakes_count_and_give_way_to_genuine_deliveries(
    broker: Broker, topics_prefix: str
) -> None:
    trusted = ssl.create_default_context(cafile=_TLS / "certificate.pem")

    async with (
        _tls_edge(broker, topics_prefix, max_unproved=8) as edge,
        contextlib.AsyncExitStack() as stack,
    ):
        await _opened(edge, stack, 8, b"\x16\x03\x01\x02\x00")
        await _until_admitted(edge, 8)
        async with connected(edge.port, trusted) as line:
            await line.send(_WHOLE)
            assert (await line.answer()).status == 200
        assert edge.process.app.admission.count <= 8


async def test_connection_reset_before_accept_affects_no_other(
    broker: Broker, topics_prefix: str
) -> None:
    trusted = ssl.create_default_context(cafile=_TLS / "certificate.pem")

    async with _tls_edge(broker, topics_prefix) as edge:
        for _ in range(20):
            gone = socket.create_connection(("127.0.0.1", edge.port))
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            gone.close()
        async with connected(edge.port, trusted) as line:
            await line.send(_WHOLE)
            assert (await line.answer()).status == 200


async def test_a_request_counts_for_the_address_that_a_trusted_proxy_wrote(
    broker: Broker, topics_prefix: str
) -> None:
    named = ("X-Forwarded-For", "198.51.100.7")
    waiting = head("/webhooks/shop", [*GENUINE.headers, _LENGTH, named])

    async with (
        ready_edge(broker.bootstrap, topics_prefix, trusted_proxies=["127.0.0.1"]) as edge,
        connected(edge.port) as line,
    ):
        admission = edge.process.app.admission
        await line.send(waiting)
        await eventually(lambda: admission.held() == {"198.51.100.7": 1}, "an admission")
        await line.send(GENUINE.body)
        assert (await line.answer()).status == 200

        assert admission.held() == {"127.0.0.1": 1}
