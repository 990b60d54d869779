"""Attacks that send as many bytes as the edge accepts, outside the body of a request."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from itertools import repeat

from tests.parts.attacks.requests import forged_head, trailers
from tests.parts.attacks.target import Stream, Target, again, each

_CHUNKED = ("Transfer-Encoding", "chunked")
_FILLER = b"a" * 65536
_LINGER_SECONDS = 2.0
_MIB = 1024 * 1024


async def endless_trailer(target: Target) -> None:
    """Send a trailer whose one line never ends, on 4 connections."""
    opening = forged_head(_CHUNKED) + b"0\r\nX-Filler: "
    await _pour(target, 4, opening, lambda: repeat(_FILLER))


async def large_trailers(target: Target) -> None:
    """Send trailers of 100 MB behind one body, again and again."""
    opening = forged_head(_CHUNKED) + b"0\r\n"
    await _pour(target, 1, opening, lambda: trailers(100 * _MIB))


async def chunk_extensions(target: Target) -> None:
    """Send a chunk whose extension never ends, on 4 connections."""
    opening = forged_head(_CHUNKED) + b"1;x="
    await _pour(target, 4, opening, lambda: repeat(_FILLER))


async def tiny_chunks(target: Target) -> None:
    """Send a body in chunks of one byte with an extension of 1 KiB, on 4 connections."""
    piece = (b"1;x=" + b"a" * 1024 + b"\r\n \r\n") * 64
    await _pour(target, 4, forged_head(_CHUNKED), lambda: repeat(piece))


async def body_after_413(target: Target) -> None:
    """Send 300 MB of a body that was refused by its length, on 2 connections."""
    opening = forged_head(("Content-Length", str(300 * _MIB)))
    await _pour(target, 2, opening, lambda: repeat(_FILLER, 300 * 16))


async def _pour(
    target: Target, count: int, opening: bytes, pieces: Callable[[], Iterator[bytes]]
) -> None:
    async def one(number: int) -> None:
        async with target.stream(number) as stream:
            stream[1].write(opening)
            await _send(target, stream, pieces())

    await each(count, lambda number: again(target, lambda: one(number)))


async def _send(target: Target, stream: Stream, pieces: Iterator[bytes]) -> None:
    reader, writer = stream
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        target.counts["sent_bytes"] += len(piece)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await reader.read()
