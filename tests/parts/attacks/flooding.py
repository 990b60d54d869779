"""Attacks with whole requests, as fast as they are answered or at a rate."""

import asyncio
import time

from tests.parts.attacks.connection import connected
from tests.parts.attacks.requests import forged, forged_head, many_keys
from tests.parts.attacks.target import Target, again, each

_SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: edge.test\r\n\r\n"


async def forged_flood(target: Target) -> None:
    """Send small forged deliveries on 32 kept-alive connections, as fast as they are answered."""
    await _flood(target, 32, forged())


async def without_host(target: Target) -> None:
    """Send requests without a Host on 32 connections, as fast as they are answered."""
    await _flood(target, 32, forged().replace(b"Host: edge.test\r\n", b""))


async def unknown_endpoints(target: Target) -> None:
    """Send deliveries to unknown endpoints on 32 connections, as fast as they are answered."""
    await _flood(target, 32, forged_head(("Content-Length", "0"), target="/webhooks/unknown"))


async def forged_large(target: Target) -> None:
    """Send 5 forged bodies of 256 KiB a second, with as many keys as fit."""
    await _at_rate(target, 5, forged(many_keys()))


async def forged_medium(target: Target) -> None:
    """Send 40 forged bodies of 32 KiB a second: as many bytes, in smaller pieces."""
    await _at_rate(target, 40, forged(many_keys(32 * 1024)))


async def connection_flood(target: Target) -> None:
    """Open 32 connections at a time, send a forged delivery on each, and abort it at once."""
    request = forged()

    async def one(number: int) -> None:
        async with target.stream(number) as (_, writer):
            writer.write(request)

    await each(32, lambda number: again(target, lambda: one(number), pause_seconds=0))


async def scrapes(target: Target) -> None:
    """Scrape the metrics of 1,000 endpoints without a pause."""

    async def one() -> None:
        async with connected(target.management_port, target.source(0)) as connection:
            target.counts["opened"] += 1
            while True:
                before = connection.received_bytes
                target.counts[f"answered {await connection.status(_SCRAPE)}"] += 1
                target.counts["largest_bytes"] = connection.received_bytes - before

    await again(target, one)


async def _flood(target: Target, count: int, request: bytes) -> None:
    async def one(number: int) -> None:
        async with target.connection(number) as connection:
            while not connection.closed:
                target.counts[f"answered {await connection.status(request)}"] += 1

    await each(count, lambda number: again(target, lambda: one(number)))


async def _at_rate(target: Target, rate: float, request: bytes) -> None:
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(1_000_000):
            await asyncio.sleep(started + number / rate - time.monotonic())
            group.create_task(_alone(target, number, request))


async def _alone(target: Target, number: int, request: bytes) -> None:
    target.counts["sent"] += 1
    try:
        async with target.connection(number) as connection:
            target.counts[f"answered {await connection.status(request)}"] += 1
    except OSError:
        target.counts["failed"] += 1
