"""Serves an edge on a socket: uvicorn's server with our own listener and TLS handshakes.

uvicorn does not count a connection before its TLS handshake ends, and sets no time-out for the
handshake. With our own listener, a connection is counted from its first packet on.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import uvicorn

from router.edge.http.admission import Visit
from router.edge.http.door import Door
from router.edge.http.protocol import DeliveryProtocol
from router.telemetry.management import server_config, started

BACKLOG = 2048
"""Connections that the kernel queues until they are accepted."""

ACCEPT_PAUSE_SECONDS = 0.1
"""Pause after a connection could not be accepted."""


@contextlib.asynccontextmanager
async def serving_deliveries(
    app: Any,  # noqa: ANN401 - an ASGI application
    listener: socket.socket,
    door: Door,
    *,
    certificate: ssl.SSLContext | None = None,
    drain_seconds: float = 10.0,
    may_accept: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[uvicorn.Server]:
    """Serve an ASGI app until the block ends; then answer open requests and stop.

    Connections are accepted once the app has started and `may_accept` has returned.
    `certificate` stays the same object; it may pass each handshake to another context
    (`router.edge.http.tls.ServerCertificate`).
    """
    config = server_config(
        app,
        lifespan="on",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=int(drain_seconds) + 1,
    )
    # No socket for uvicorn: connections are accepted here.
    with listener:
        async with started(config, []) as server:
            if may_accept is not None:
                await may_accept()

            def connection(visit: Visit | None = None) -> DeliveryProtocol:
                state = server.lifespan.state
                return DeliveryProtocol(config, server.server_state, state, door, visit)

            if certificate is None:
                loop = asyncio.get_running_loop()
                server.servers.append(
                    await loop.create_server(connection, sock=listener, backlog=BACKLOG)
                )
                yield server
            else:
                async with accepting_tls(listener, certificate, door, connection):
                    yield server


@contextlib.asynccontextmanager
async def accepting_tls(
    listener: socket.socket,
    certificate: ssl.SSLContext,
    door: Door,
    connection: Callable[[Visit], DeliveryProtocol],
) -> AsyncIterator[None]:
    """Accept TLS connections until the block ends, then close the listener."""
    listener.settimeout(0)
    listener.listen(BACKLOG)
    handshakes: dict[asyncio.Task[None], socket.socket] = {}
    # If accepting fails permanently, the block is cancelled, so that the edge ends.
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_accept(listener, certificate, door, connection, handshakes))
        try:
            yield
        finally:
            task.cancel()
            listener.close()
            for accepted in handshakes.values():
                _hang_up(accepted)
            await asyncio.gather(*handshakes, return_exceptions=True)


async def _accept(
    listener: socket.socket,
    certificate: ssl.SSLContext,
    door: Door,
    connection: Callable[[Visit], DeliveryProtocol],
    handshakes: dict[asyncio.Task[None], socket.socket],
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            accepted, address = await loop.sock_accept(listener)
        except OSError:
            # The peer has disconnected, or descriptors ran out although connections are limited.
            door.observer.handshake_failed("", "failed")
            await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
            continue
        visit = Visit(str(address[0]), partial(_hang_up, accepted))
        task = loop.create_task(_shake_hands(accepted, certificate, door, connection, visit))
        handshakes[task] = accepted
        task.add_done_callback(handshakes.pop)
        door.admission.enter(visit)
        # Queued connections are accepted without a pause: yield, so that other tasks run too.
        await asyncio.sleep(0)


def _hang_up(accepted: socket.socket) -> None:
    """End a handshake by shutting down its connection.

    Cancelling its task is not enough: both event loops ignore that before the first byte.
    """
    with contextlib.suppress(OSError):
        accepted.shutdown(socket.SHUT_RDWR)


async def _shake_hands(
    accepted: socket.socket,
    certificate: ssl.SSLContext,
    door: Door,
    connection: Callable[[Visit], DeliveryProtocol],
    visit: Visit,
) -> None:
    """Complete the TLS handshake within its time-out and start HTTP on the connection."""
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(
            lambda: connection(visit),
            accepted,
            ssl=certificate,
            ssl_handshake_timeout=door.bounds.handshake_seconds,
            ssl_shutdown_timeout=door.bounds.write_seconds,
        )
    except OSError as problem:
        # ssl.SSLError is an OSError; a time-out is a ConnectionAbortedError.
        timed_out = isinstance(problem, ConnectionAbortedError)
        if not visit.gave_way:
            door.observer.handshake_failed(visit.source, "timed_out" if timed_out else "failed")
        door.admission.leave(visit)
        accepted.close()
