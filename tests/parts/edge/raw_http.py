"""Writes HTTP/1.1 byte for byte: nothing is added, sorted, joined or corrected."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

HeaderLine = tuple[str, str]

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: tuple[HeaderLine, ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the single value of a header, None if it is missing."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2
        return values[0] if values else None


def request(
    target: str,
    headers: Sequence[HeaderLine] = (),
    body: bytes | None = b"",
    method: str = "POST",
) -> bytes:
    """Write a request; for a body of None there is no length header."""
    length = [] if body is None else [("Content-Length", str(len(body)))]
    return head(target, [*headers, *length], method) + (body or b"")


def head(target: str, headers: Sequence[HeaderLine], method: str = "POST") -> bytes:
    """Write the request line and the headers, in this order and spelling."""
    lines = [f"{method} {target} HTTP/1.1", "Host: edge.test"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Write one chunk of a chunked body; an empty chunk ends it."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@dataclass(frozen=True)
class Connection:
    """One TCP connection to an edge."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self.writer.write(data)
        await self.writer.drain()

    async def send_until_closed(self, data: bytes, times: int) -> int:
        """Send the same bytes repeatedly until the other side closes; return how often."""
        for number in range(times):
            try:
                await self.send(data)
            except ConnectionError:
                return number
            await asyncio.sleep(0)
        return times

    async def flood(self, data: bytes, times: int) -> tuple[int, Answer]:
        """Send the same bytes until the other side closes; return how often, and its answer."""
        # Read at the same time: a failed write would lose the unread answer.
        answered = asyncio.create_task(self.answer())
        await asyncio.sleep(0)
        sent = await self.send_until_closed(data, times)
        return sent, await answered

    async def answer(self, *, to_head: bool = False) -> Answer:
        """Read one answer; an answer to HEAD has no body, regardless of its headers."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._answer(to_head=to_head)

    async def interim(self) -> bytes:
        """Read one interim answer: 100 Continue."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def ended(self) -> bool:
        """Wait until the other side closes; return whether it sent nothing more."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return not await self.reader.read()

    async def _answer(self, *, to_head: bool) -> Answer:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = tuple((name.lower(), value) for name, value in pairs)
        length = 0 if to_head else int(dict(headers).get("content-length", "0"))
        return Answer(int(first.split(" ")[1]), headers, await self.reader.readexactly(length))


@contextlib.asynccontextmanager
async def connected(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Connection]:
    """Open a connection; close it at the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def reset(line: Connection) -> None:
    """Reset a connection, as a sender that crashed does."""
    end: socket.socket = line.writer.get_extra_info("socket")
    # Without any time to linger, the kernel sends a reset.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.writer.transport.abort()


async def exchange(port: int, data: bytes, *, to_head: bool = False) -> Answer:
    """Send a request on a new connection and return the answer."""
    async with connected(port) as connection:
        await connection.send(data)
        return await connection.answer(to_head=to_head)
