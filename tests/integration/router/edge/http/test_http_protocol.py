"""Offers of another protocol are ignored; heads are limited in size and time."""

import asyncio

import pytest

from router.edge.http.bounds import HttpBounds
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import malformed, ready_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import chunk, connected, exchange, head, request

_OFFER = [
    ("Connection", "Upgrade, HTTP2-Settings"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA"),
]
_OFFERED = request("/webhooks/shop", [*_OFFER, *GENUINE.headers], GENUINE.body)
_ENOUGH = 256 * 1024
"""More than any bound of a head."""
_PLAIN = request("/webhooks/shop", GENUINE.headers, GENUINE.body)


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 100_000])
async def test_an_offer_is_declined_however_the_bytes_arrive(
    broker: Broker, topics_prefix: str, size: int
) -> None:
    sent = _OFFERED + _PLAIN + _OFFERED + _OFFERED + _PLAIN

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for at in range(0, len(sent), size):
            await line.send(sent[at : at + size])
            await asyncio.sleep(0)

        assert [(await line.answer()).status for _ in range(5)] == [200] * 5
        assert len(await edge.records()) == 5


async def test_an_offer_with_a_body_in_chunks_is_declined(
    broker: Broker, topics_prefix: str
) -> None:
    chunked = ("Transfer-Encoding", "chunked")
    sent = head("/webhooks/shop", [*_OFFER, *GENUINE.headers, chunked])

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for piece in (sent, chunk(GENUINE.body[:9]), chunk(GENUINE.body[9:]), chunk(b""), _PLAIN):
            await line.send(piece)
            await asyncio.sleep(0.05)

        assert [(await line.answer()).status for _ in range(2)] == [200, 200]


async def test_offer_does_not_disable_other_checks(broker: Broker, topics_prefix: str) -> None:
    doubled = request("/webhooks/shop", [*_OFFER, *GENUINE.headers, GENUINE.headers[1]], b"")
    asked = request("/webhooks/shop", _OFFER, None, "GET")

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        assert (await exchange(edge.port, doubled)).status == 401
        assert (await exchange(edge.port, asked)).status == 405
        assert (await exchange(edge.port, b"CONNECT a:1 HTTP/1.1\r\n\r\n")).status == 400


@pytest.mark.parametrize("name", ["X", "Upgrade"])
async def test_endless_head_is_refused(broker: Broker, topics_prefix: str, name: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(f"POST /webhooks/shop HTTP/1.1\r\nConnection: Upgrade\r\n{name}: ".encode())
        _, answer = await line.flood(b"a" * 4096, _ENOUGH // 4096)

        assert answer.status == 431
        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200
        assert await malformed(edge) == {"head_too_large": 1}
        (logged,) = [entry for entry in edge.log if entry["event"] == "malformed_request"]
        assert (logged["source"], logged["reason"]) == ("127.0.0.1", "head_too_large")


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks/shop HTTP/1.1\r\nX: a", _PLAIN + b"POST"])
async def test_missing_head_closes_the_connection(
    broker: Broker, topics_prefix: str, sent: bytes
) -> None:
    quick = HttpBounds(head_seconds=0.2)

    async with (
        ready_edge(broker.bootstrap, topics_prefix, bounds=quick) as edge,
        connected(edge.port) as line,
    ):
        await line.send(sent)
        if b"\r\n\r\n" in sent:
            assert (await line.answer()).status == 200

        assert await line.ended()
        assert edge.process.app.in_flight == 0


async def test_an_idle_connection_is_closed(broker: Broker, topics_prefix: str) -> None:
    quick = HttpBounds(idle_seconds=0.2)

    async with (
        ready_edge(broker.bootstrap, topics_prefix, bounds=quick) as edge,
        connected(edge.port) as line,
    ):
        await line.send(_PLAIN)
        assert (await line.answer()).status == 200

        assert await line.ended()
