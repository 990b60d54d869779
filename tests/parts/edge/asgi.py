"""Runs the edge without socket or Kafka: sends a request, returns its answer and its records."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from router.configuration.settings import settings_from
from router.contract.wire import OutgoingRecord
from router.edge import app
from router.edge.app import EdgeProcess
from router.edge.publishing.submission import Done
from router.edge.routes import Edge
from tests.parts.edge.edge_server import HeldClock, configuration

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class RequestResult:
    """Answer to one request, and the records it published."""

    status: int
    headers: tuple[Header, ...]
    body: bytes
    published: tuple[OutgoingRecord, ...]


def edge(**changes: Any) -> Edge:  # noqa: ANN401 - values of a configuration
    """Make the edge of the test configuration, with changed values under `[edge]`."""
    return edge_of(configuration("127.0.0.1:1", "t.", **changes))


def edge_of(values: dict[str, Any], clock: Callable[[], datetime] | None = None) -> Edge:
    """Make the edge of a configuration."""
    return process_of(values, clock or HeldClock()).app


def process_of(values: dict[str, Any], clock: Callable[[], datetime]) -> EdgeProcess:
    """Make the parts of an edge of a configuration."""
    settings = settings_from(values)
    # FastStream's applications cost half the CPU of an edge, and no request here reaches them.
    with (
        patch.object(app, "AsgiFastStream", lambda *_, **__: _not_found),
        patch.object(app, "declared_broker", lambda _settings: None),
        patch.object(app, "management_app", lambda *_: None),
        patch.object(app, "process_registry", CollectorRegistry),
    ):
        return app.build_edge(settings, clock)


async def ask(  # noqa: PLR0913 - the parts of a request
    edge: Edge,
    method: str,
    path: bytes,
    headers: Sequence[Header],
    *body: bytes,
    query: bytes = b"",
    peer: str | None = None,
    publish: Callable[[Sequence[OutgoingRecord]], None] = lambda _records: None,
) -> RequestResult:
    """Send a request, its body in these pieces, to an edge that publishes to a list."""
    published: list[OutgoingRecord] = []
    sent: list[Any] = []
    pieces = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
    pieces.append({"type": "http.request", "body": b"", "more_body": False})

    def keep(records: Sequence[OutgoingRecord], done: Done, _deadline: float | None) -> None:
        publish(records)
        published.extend(records)
        asyncio.get_running_loop().call_soon(done, None)

    async def receive() -> Any:  # noqa: ANN401 - an ASGI message
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": path,
        "path": path.decode("latin-1"),
        "query_string": query,
        "headers": list(headers),
        "client": None if peer is None else (peer, 4711),
    }
    listening = replace(edge, handler=replace(edge.handler, submit=keep))
    await listening(scope, receive, send)
    start, *bodies = sent
    answered = b"".join(each["body"] for each in bodies)
    return RequestResult(start["status"], tuple(start["headers"]), answered, tuple(published))


async def _not_found(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"elsewhere"})
