"""Attacks that hold connections open for as little effort as possible."""

import asyncio
import contextlib

from tests.parts.attacks.requests import forged_head
from tests.parts.attacks.target import Stream, Target, again, each

_LENGTH = ("Content-Length", "4096")

_MINIMAL = b"POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
_PIPELINED = 1000

# The first bytes of a ClientHello: record of 512 bytes, handshake of 508.
_CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303")


async def slow_bodies(target: Target) -> None:
    """Send 600 bodies to a known endpoint, a byte a second each."""
    await _hold(target, 600, [forged_head(_LENGTH)], b" ", every=1)


async def slow_heads(target: Target) -> None:
    """Send 600 heads, a byte a second each."""
    await _hold(target, 600, [b"POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nX: "], b"a", every=1)


async def idle_connections(target: Target) -> None:
    """Hold 1,000 connections without a byte."""
    await _hold(target, 1000, [b""], b"", every=60)


async def drippers(target: Target) -> None:
    """Hold 400 connections after 404, 405 and 413, a byte every 2 seconds each."""
    large = ("Content-Length", "300000")
    heads = [
        forged_head(_LENGTH, target="/webhooks/unknown"),
        forged_head(_LENGTH, method="PUT"),
        forged_head(large),
    ]
    await _hold(target, 400, heads, b" ", every=2)


async def tls_handshakes(target: Target) -> None:
    """Hold 600 TLS handshakes, a byte a second each."""
    await _hold(target, 600, [_CLIENT_HELLO], b"\0", every=1)


async def unread_answers(target: Target) -> None:
    """Send pipelined requests on 32 connections and never read an answer."""
    await _pipeline(target, _MINIMAL, reading=False)


async def pipelined(target: Target) -> None:
    """Send pipelined requests on 32 connections and read the answers."""
    await _pipeline(target, _MINIMAL, reading=True)


async def pipelined_upgrades(target: Target) -> None:
    """Send pipelined requests that each offer another protocol, on 32 connections."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    await _pipeline(target, _MINIMAL.removesuffix(b"\r\n") + offer, reading=True)


async def _pipeline(target: Target, request: bytes, *, reading: bool) -> None:
    async def one(number: int) -> None:
        async with target.stream(number) as (reader, writer), asyncio.TaskGroup() as group:
            if not reading:
                # The edge cannot send its answers then; asyncio has no public way to do this.
                reader._transport.pause_reading()  # type: ignore[attr-defined] # noqa: SLF001
            group.create_task(_discard(reader))
            while not writer.is_closing():
                writer.write(request * _PIPELINED)
                await writer.drain()
                target.counts["requests"] += _PIPELINED

    await each(32, lambda number: again(target, lambda: one(number)))


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
    message = "closed by the edge"
    raise ConnectionResetError(message)


async def _hold(target: Target, count: int, openings: list[bytes], drip: bytes, every: int) -> None:
    async def one(number: int) -> None:
        async with target.stream(number) as stream:
            stream[1].write(openings[number % len(openings)])
            await _until_closed(target, stream, drip, every)

    # Hundreds that reopen at once would be a flood of connections, which is another attack.
    await each(count, lambda number: again(target, lambda: one(number), pause_seconds=1))


async def _until_closed(target: Target, stream: Stream, drip: bytes, every: int) -> None:
    reader, writer = stream
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every):
                received = await reader.read(65536)
                if not received:
                    return
                if received.startswith(b"HTTP/"):
                    target.counts[f"answered {received[9:12].decode()}"] += 1
                continue
        writer.write(drip)
