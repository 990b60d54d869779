"""The management port: liveness, readiness and metrics of a process."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from router.telemetry.declaring import MetricDeclarations
from router.telemetry.dropped_lines import DroppedLines
from router.telemetry.exposition import Exposition
from router.telemetry.logs import dropped_lines

_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CHUNK_BYTES = 65536

STOP_SECONDS = 2
"""How long a stopping server waits for its responses to be read; uvicorn needs whole seconds."""


@dataclass(frozen=True)
class Health:
    """Result of a probe: good or not, and a sentence for operators."""

    good: bool
    detail: str


@dataclass(frozen=True)
class _Chunked:
    """Response sent in chunks, so that a slow reader does not fill our buffers."""

    body: bytes
    content_type: str

    async def __call__(self, _scope: object, _receive: object, send: _Send) -> None:
        headers = [
            (b"content-type", self.content_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(self.body), _CHUNK_BYTES):
            chunk = self.body[start : start + _CHUNK_BYTES]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


Probe = Callable[[], Health]


def management_app(alive: Probe, ready: Probe, registry: CollectorRegistry) -> AsgiFastStream:
    """Serve `/healthz`, `/readyz` and `/metrics`."""

    async def is_alive() -> Health:
        return alive()

    async def is_ready() -> Health:
        return ready()

    return management_routes(is_alive, is_ready, Exposition(registry).latest)


def management_routes(
    alive: Callable[[], Awaitable[Health]],
    ready: Callable[[], Awaitable[Health]],
    text: Callable[[], Awaitable[bytes]],
) -> AsgiFastStream:
    """Serve `/healthz`, `/readyz` and `/metrics` of more than this process."""

    @get(include_in_schema=False)
    async def healthz(_scope: Any) -> AsgiResponse:  # noqa: ANN401 - an ASGI scope
        return _answer(await alive())

    @get(include_in_schema=False)
    async def readyz(_scope: Any) -> AsgiResponse:  # noqa: ANN401 - an ASGI scope
        return _answer(await ready())

    @get(include_in_schema=False)
    async def metrics(_scope: Any) -> _Chunked:  # noqa: ANN401 - an ASGI scope
        return _Chunked(await text(), CONTENT_TYPE_LATEST)

    routes = [("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)]
    return AsgiFastStream(asgi_routes=routes, logger=None)


def process_registry() -> CollectorRegistry:
    """Make a registry with metrics of the process, the garbage collector, Python and the build."""
    # They would add a series to every counter, and Prometheus detects restarts without them.
    disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has no types
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    PlatformCollector(registry=registry)
    build = MetricDeclarations(registry).gauge(
        "payrouter_build_info", "1, with the version", "version"
    )
    build.labels(version("payrouter")).set(1)
    registry.register(DroppedLines(dropped_lines))
    return registry


@contextlib.asynccontextmanager
async def serving(
    app: Any,  # noqa: ANN401 - an ASGI application
    listener: socket.socket,
    **options: Any,  # noqa: ANN401 - uvicorn's own
) -> AsyncIterator[uvicorn.Server]:
    """Serve an ASGI app on a bound socket until the block ends; then drain and stop.

    A client that does not read its answer delays the stop by `STOP_SECONDS` at most.
    """
    options.setdefault("timeout_graceful_shutdown", STOP_SECONDS)
    with listener:
        async with started(server_config(app, **options), [listener]) as server:
            yield server


def server_config(app: Any, **options: Any) -> uvicorn.Config:  # noqa: ANN401 - as above
    """Configure a server that writes no log and adds no headers."""
    return uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        **options,
    )


@contextlib.asynccontextmanager
async def started(
    config: uvicorn.Config, sockets: list[socket.socket]
) -> AsyncIterator[uvicorn.Server]:
    """Run a server while the block runs; raises OSError if it does not start.

    uvicorn's signal handlers are disabled: they would end the process in the middle of
    our shutdown.
    """
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=sockets))
    try:
        await _started(server, task)
        yield server
    finally:
        server.should_exit = True
        await task


def stop_signal() -> asyncio.Event:
    """Return an event that is set on SIGTERM and SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def stop_with_parent(stopped: asyncio.Event) -> None:
    """Set the event also when standard input ends, which happens when the supervisor is killed."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        # Reads the descriptor: a thread inside `sys.stdin` would abort the interpreter's shutdown.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=wait, daemon=True, name="parent").start()


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Bind a TCP address (port 0: any free port), or raise OSError with the address.

    If `shared`, other sockets of this user that are shared too may listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048, reuse_port=shared)
    except OSError as error:
        # create_server repeats the address in its own words; a resolver's number is negative.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror
        message = f"cannot listen on {host}:{port}: {why}"
        raise OSError(error.errno, message) from None


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            task.result()
            message = "the HTTP server ended while starting"
            raise OSError(message)
        await asyncio.sleep(0.01)


def _answer(health: Health) -> AsgiResponse:
    body = (health.detail + "\n").encode()
    return AsgiResponse(
        body, 200 if health.good else 503, headers={"content-type": "text/plain; charset=utf-8"}
    )
