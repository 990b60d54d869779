"""The edge's connections on a real listener, with a small application instead of the edge."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from router.edge.http.admission import Admission, Stage, Visit
from router.edge.http.answers import Response
from router.edge.http.bounds import HttpBounds
from router.edge.http.direct import HandleWhole, HoldRequest
from router.edge.http.door import VISIT, Door
from router.edge.http.request_head import RequestHead
from router.edge.http.server import serving_deliveries
from tests.parts.waiting import eventually

_TLS = Path(__file__).parents[2] / "samples" / "tls"

Answering = Callable[[bytes], Awaitable[int]]

on_each_loop = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
"""Runs a test on the loop of the tests and on that of `payrouter edge`."""

by_each_way = pytest.mark.parametrize("direct", [True, False], ids=["direct", "application"])
"""Runs a test without and with the application for plain requests."""


def run(loop: Callable[[], asyncio.AbstractEventLoop], test: Coroutine[Any, Any, None]) -> None:
    """Run a test on a new event loop, within a minute."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(test, 60))


@dataclass
class Seen:
    """Implements `router.edge.http.door.ConnectionObserver`."""

    malformed_requests: list[str] = field(default_factory=list)
    handshakes: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    """What the loop reported to its exception handler."""

    def malformed(self, _source: str, reason: str) -> None:
        """Record a reason."""
        self.malformed_requests.append(reason)

    def handshake_failed(self, _source: str, reason: str) -> None:
        """Record a reason."""
        self.handshakes.append(reason)


@dataclass
class OpenDoor:
    """A serving listener."""

    port: int
    admission: Admission
    seen: Seen
    shedding: bool | None = False
    """None: no endpoint has the target."""
    arrived: int = 0
    """Requests that were counted when they had arrived whole."""
    shed_error: Exception | None = None
    bodies: list[bytes] = field(default_factory=list)
    direct: int = 0
    """Requests that were answered without the application."""

    def shed(self, _target: bytes, _first_byte_at: float) -> bool | None:
        """Refuse every request while `shedding`."""
        if self.shed_error is not None:
            raise self.shed_error
        return self.shedding

    def count_arrived(self) -> None:
        """Count a request that has arrived whole."""
        self.arrived += 1

    async def until_gone(self) -> None:
        """Wait until no connection counts."""
        await eventually(lambda: not self.admission.count, "no connection", pause=0.01)


async def at_once(_body: bytes) -> int:
    """Answer 200 at once."""
    return 200


def certificate() -> ssl.SSLContext:
    """Return the certificate of a test's server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_TLS / "certificate.pem", _TLS / "key.pem", password="")
    return context


def trusting() -> ssl.SSLContext:
    """Return a client context that trusts it."""
    return ssl.create_default_context(cafile=_TLS / "certificate.pem")


@contextlib.asynccontextmanager
async def open_door(  # noqa: PLR0913 - options of a test
    answering: Answering = at_once,
    *,
    bounds: HttpBounds | None = None,
    most: int = 1000,
    most_bytes: int = 64 * 1024 * 1024,
    tls: ssl.SSLContext | None = None,
    sent_bytes: int = 0,
    drain_seconds: float = 3.0,
    early: bool = False,
    direct: bool = True,
) -> AsyncIterator[OpenDoor]:
    """Serve while the block runs.

    Plain requests are answered without the application, unless `early`, or not `direct`.
    `sent_bytes` bounds the kernel's buffer of answers. `early` answers 404 before the body has
    arrived, as the edge does, and then waits for the rest.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    if sent_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sent_bytes)
    seen = Seen()
    opened = OpenDoor(listener.getsockname()[1], Admission(most, most_bytes), seen)
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: seen.errors.append(what))

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if early:
            await _answer_early(receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        visit: Visit = scope["state"][VISIT]
        opened.admission.move(visit, Stage.PROVED)
        opened.bodies.append(body)
        status = await answering(body)
        text = body[:20]
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    hold = (lambda _head: None) if early or not direct else _holding(opened, answering)
    door = Door(
        opened.admission,
        bounds or HttpBounds(),
        seen,
        opened.shed,
        opened.count_arrived,
        lambda: 0.0,
        hold,
    )
    async with serving_deliveries(
        app, listener, door, certificate=tls, drain_seconds=drain_seconds
    ) as server:
        yield opened
        server.should_exit = True


def _holding(opened: OpenDoor, answering: Answering) -> HoldRequest:
    waiting: set[asyncio.Task[None]] = set()

    async def answer(body: bytes, answered: Callable[[Response], None]) -> None:
        answered(Response(await answering(body), body[:20]))

    def hold(head: RequestHead) -> HandleWhole:
        def handle(body: bytes, answered: Callable[[Response], None]) -> None:
            assert head.visit is not None
            opened.admission.move(head.visit, Stage.PROVED)
            opened.bodies.append(body)
            opened.direct += 1
            task = asyncio.get_running_loop().create_task(answer(body, answered))
            waiting.add(task)
            task.add_done_callback(waiting.discard)

        return handle

    return hold


async def _lifespan(receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    for name in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{name}.complete"})


async def _answer_early(receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await _body(receive)
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Any) -> bytes | None:  # noqa: ANN401 - ASGI
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message["body"])
        if not message["more_body"]:
            return body
