"""All parts of an HTTP request have limits, and ambiguous HTTP is refused."""

import asyncio
import contextlib

import pytest

from router.edge.http.bounds import HttpBounds
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import (
    RunningEdge,
    malformed,
    ready_edge,
)
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import Connection, chunk, connected, exchange, head, request

_CHUNKED = ("Transfer-Encoding", "chunked")
_HEAD = head("/webhooks/shop", [*GENUINE.headers, _CHUNKED])
_ENOUGH_TIMES = 1000


async def _refused(edge: RunningEdge, line: Connection, endless: bytes) -> None:
    sent, answer = await line.flood(endless, _ENOUGH_TIMES)

    assert sent < _ENOUGH_TIMES
    assert (answer.status, answer.header("connection")) == (400, "close")
    assert await malformed(edge) == {"framing_too_large": 1}


@pytest.mark.parametrize(
    "endless",
    [b"X-Trailer: " + b"a" * 4000 + b"\r\n", b"a" * 4096],
    ids=["many trailers", "one trailer without an end"],
)
async def test_endless_trailers_are_refused(
    broker: Broker, topics_prefix: str, endless: bytes
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_HEAD + chunk(GENUINE.body) + b"0\r\nX: ")

        await _refused(edge, line, endless)


async def test_endless_chunk_extensions_are_refused(broker: Broker, topics_prefix: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_HEAD + b"5;x=")

        await _refused(edge, line, b"y" * 4096)


async def test_extensions_of_tiny_chunks_add_up(broker: Broker, topics_prefix: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_HEAD)

        await _refused(edge, line, b"1;x=" + b"y" * 1000 + b"\r\n \r\n")


async def test_a_body_in_small_chunks_is_accepted(broker: Broker, topics_prefix: str) -> None:
    pieces = [GENUINE.body[at : at + 7] for at in range(0, len(GENUINE.body), 7)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_HEAD + b"".join(chunk(piece) for piece in pieces) + chunk(b""))

        assert (await line.answer()).status == 200


async def test_a_signature_in_a_trailer_does_not_count(broker: Broker, topics_prefix: str) -> None:
    name, value = GENUINE.headers[1]
    rest = [pair for pair in GENUINE.headers if pair[0] != name]
    trailer = f"0\r\n{name}: {value}\r\n\r\n".encode()

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(head("/webhooks/shop", [*rest, _CHUNKED]) + chunk(GENUINE.body) + trailer)

        assert (await line.answer()).status == 401
        assert await edge.records() == []
        assert (await edge.reasons())["blockatm", "refused", "signature_missing"] == 1


async def test_trailers_within_the_bound_change_nothing(broker: Broker, topics_prefix: str) -> None:
    name, _ = GENUINE.headers[1]
    trailer = f"0\r\n{name}: forged\r\nHost: a\r\n\r\n".encode()

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_HEAD + chunk(GENUINE.body) + trailer)
        await line.send(request("/webhooks/shop", GENUINE.headers, GENUINE.body))

        assert [(await line.answer()).status for _ in range(2)] == [200, 200]


def _bare(*lines: str, version: str = "1.1") -> bytes:
    given = "".join(f"{name}: {value}\r\n" for name, value in GENUINE.headers)
    rest = "".join(f"{line}\r\n" for line in lines)
    return f"POST /webhooks/shop HTTP/{version}\r\n{given}{rest}\r\n".encode("latin-1")


_LENGTH = f"Content-Length: {len(GENUINE.body)}"
_DOUBTFUL = {
    "no host": (_bare(_LENGTH) + GENUINE.body, "host"),
    "two hosts": (_bare("Host: a", "Host: b", _LENGTH) + GENUINE.body, "host"),
    "the same host twice": (_bare("Host: a", "Host: a", _LENGTH) + GENUINE.body, "host"),
    "two hosts under 1.0": (
        _bare("Host: a", "Host: b", _LENGTH, version="1.0") + GENUINE.body,
        "host",
    ),
    "another version": (_bare("Host: a", _LENGTH, version="2.0") + GENUINE.body, "version"),
    "chunked under 1.0": (
        _bare("Host: a", "Transfer-Encoding: chunked", version="1.0") + chunk(b""),
        "transfer_coding",
    ),
    "gzip, chunked": (
        _bare("Host: a", "Transfer-Encoding: gzip, chunked") + chunk(b""),
        "transfer_coding",
    ),
    "gzip and chunked": (
        _bare("Host: a", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked") + chunk(b""),
        "transfer_coding",
    ),
    "chunked twice": (
        _bare("Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + chunk(b""),
        "transfer_coding",
    ),
}


@pytest.mark.parametrize("name", _DOUBTFUL)
async def test_ambiguous_head_is_refused_and_the_connection_closed(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    sent, reason = _DOUBTFUL[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(sent)
        answer = await line.answer()

        assert (answer.status, answer.header("connection")) == (400, "close")
        assert await line.ended()
        counted = await malformed(edge)
        assert counted in ({reason: 1}, {"not_http": 1})
        assert await edge.records() == []


async def test_a_request_under_http_1_0_needs_no_host(broker: Broker, topics_prefix: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await exchange(edge.port, _bare(_LENGTH, version="1.0") + GENUINE.body)

        assert answer.status == 200


async def test_garbage_after_a_genuine_delivery_does_not_replace_its_answer(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(
            request("/webhooks/shop", GENUINE.headers, GENUINE.body) + b"\x16\x03garbage\r\n\r\n"
        )
        answer = await line.answer()

        assert (answer.status, answer.header("connection")) == (200, "close")
        assert await line.ended()
        assert await malformed(edge) == {"not_http": 1}


async def test_pipelined_requests_are_limited(broker: Broker, topics_prefix: str) -> None:
    bounds = HttpBounds(pipelined=4)
    whole = request("/webhooks/shop", GENUINE.headers, GENUINE.body)

    async with ready_edge(broker.bootstrap, topics_prefix, bounds=bounds) as edge:
        async with connected(edge.port) as line:
            await line.send(whole * 50)
            statuses = []
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    statuses.append((await line.answer()).status)

        assert set(statuses) == {200}
        assert 1 <= len(statuses) <= 6
        assert await malformed(edge) == {"too_many_pipelined": 1}


async def test_thousands_of_pipelined_offers_are_refused_like_other_requests(
    broker: Broker, topics_prefix: str
) -> None:
    offer = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(offer * 3000)

        assert (await line.answer()).status == 404
        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200
        assert not [entry for entry in edge.log if entry["log_level"] == "error"]
