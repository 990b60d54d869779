"""A load of requests over kept-alive connections, from this process or, as a module, from another.

`python -m tests.benchmarks.load PORT FILE` sends the requests of a JSON file
and prints how many were answered with 200 a second.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CONNECTIONS = 32


async def requests_per_second(port: int, requests: Sequence[bytes], wanted: bytes) -> float:
    """Send every request once, over 32 connections, and return how many were answered a second.

    Raises AssertionError if an answer does not begin with `wanted`: only correct
    answers are counted.
    """
    waiting = iter(requests)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_connection(port, waiting, wanted))
    return len(requests) / (time.perf_counter() - started)


async def seconds_to_answer(port: int, request: bytes, wanted: bytes) -> float:
    """Send one request on a new connection and return how long its answer took."""
    started = time.perf_counter()
    await _connection(port, iter([request]), wanted)
    return time.perf_counter() - started


async def _connection(port: int, waiting: object, wanted: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for request in waiting:  # type: ignore[attr-defined] # shared by all connections
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(wanted):
                raise AssertionError(head)
            await reader.readexactly(_length(head))
    finally:
        writer.close()
        await writer.wait_closed()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    sent = [text.encode("latin-1") for text in texts]
    print(asyncio.run(requests_per_second(int(sys.argv[1]), sent, b"HTTP/1.1 200")))  # noqa: T201
