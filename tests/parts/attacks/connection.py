"""A lean HTTP/1.1 client connection: bytes as they are, one request at a time."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

_HEAD_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One TCP connection that returns the status of each answer."""

    def __init__(self) -> None:
        """Start unconnected."""
        self.closed = False
        self.received_bytes = 0
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that is waiting."""
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed without an answer"))

    def data_received(self, data: bytes) -> None:
        """Finish the request once its answer is complete."""
        self.received_bytes += len(data)
        self._received += data
        end = self._received.find(_HEAD_END)
        if end < 0 or len(self._received) < end + 4 + _length(self._received[:end]):
            return
        status = int(self._received[9:12])
        if b"connection: close" in self._received[:end].lower():
            self.closed = True
        self._received.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    async def status(self, request: bytes) -> int:
        """Send one request and return the status of its answer, or raise OSError."""
        if self.closed or self._transport is None:
            message = "closed before the request"
            raise ConnectionResetError(message)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        self.closed = True


def _length(head: bytearray) -> int:
    start = head.lower().find(b"content-length:")
    return int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


async def connect(port: int, source: str, tls: ssl.SSLContext | None = None) -> Connection:
    """Connect from a loopback address; an address that is not there is an OSError."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        Connection, "127.0.0.1", port, ssl=tls, local_addr=(source, 0)
    )
    return connection


@contextlib.asynccontextmanager
async def connected(
    port: int, source: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Connection]:
    """Connect, and close in the end."""
    connection = await connect(port, source, tls)
    try:
        yield connection
    finally:
        connection.close()
