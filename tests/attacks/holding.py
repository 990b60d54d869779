"""Attacks that hold connections open for as little effort as possible."""

import asyncio
import contextlib

from tests.attacks.requests import forged_head
from tests.attacks.target import Stream, Target, again, each

_LENGTH = ("Content-Length", "4096")

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
    request = b"POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"

    async def one(number: int) -> None:
        async with target.stream(number) as (reader, writer):
            # With the reading paused, the edge's answers have nowhere to go.
            reader._transport.pause_reading()  # type: ignore[attr-defined] # noqa: SLF001 - no other way
            while True:
                writer.write(request * 1000)
                await writer.drain()
                target.counts["requests"] += 1000

    await each(32, lambda number: again(target, lambda: one(number)))


async def _hold(target: Target, count: int, openings: list[bytes], drip: bytes, every: int) -> None:
    async def one(number: int) -> None:
        async with target.stream(number) as stream:
            stream[1].write(openings[number % len(openings)])
            await _until_closed(target, stream, drip, every)

    await each(count, lambda number: again(target, lambda: one(number)))


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
