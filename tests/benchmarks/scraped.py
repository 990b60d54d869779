"""Deliveries to an edge of a thousand endpoints, with and without continuous scrapes."""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import structlog

from tests.benchmarks.deliveries import requests_of
from tests.benchmarks.load import seconds_to_answer
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import RunningEdge, configuration, make_topics, running_edge
from tests.parts.edge.many_endpoints import tables

ENDPOINTS = 1000
DELIVERIES = 200
A_SECOND = 20
ROUNDS = 3

SCRAPED = "with continuous scrapes"
UNSCRAPED = "without"


async def measure(broker: Broker, prefix: str) -> dict[str, float]:
    """Return the 99th percentile of the time to answer in microseconds, for both."""
    values = configuration(broker.bootstrap, prefix)
    values["endpoints"] |= tables(ENDPOINTS)
    values["edge"]["public_url"] = "https://pay.example"
    await make_topics(broker.bootstrap, prefix)
    async with running_edge(values) as edge:
        # One line per delivery as in production, but into nothing.
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        edge.clock.now = datetime.now(UTC)
        await edge.until_ready()
        return await _by_turns(edge)


async def _by_turns(edge: RunningEdge) -> dict[str, float]:
    taken: dict[str, list[float]] = {UNSCRAPED: [], SCRAPED: []}
    written = [one.decode("latin-1") for one in requests_of(edge.settings, DELIVERIES)]
    with tempfile.TemporaryDirectory() as folder:
        requests = Path(folder) / "requests.json"
        requests.write_text(json.dumps(written))
        await _round(edge, requests)
        for _ in range(ROUNDS):
            taken[UNSCRAPED] += await _round(edge, requests)
            async with _scraping(edge.management_port):
                taken[SCRAPED] += await _round(edge, requests)
    return {name: quantiles(seconds, n=100)[98] * 1e6 for name, seconds in taken.items()}


async def _round(edge: RunningEdge, requests: Path) -> list[float]:
    """Return the seconds to each answer, measured by a separate process."""
    load = await _started("deliver", str(edge.port), str(requests))
    said, _ = await load.communicate()
    if load.returncode:
        message = "the load ended with a problem"
        raise RuntimeError(message)
    seconds: list[float] = json.loads(said)
    return seconds


@contextlib.asynccontextmanager
async def _scraping(port: int) -> AsyncIterator[None]:
    """Scrape without a pause, in a separate process."""
    scraper = await _started("scrape", str(port))
    try:
        yield
        if scraper.returncode is not None:
            message = "the scraper ended with a problem"
            raise RuntimeError(message)
    finally:
        with contextlib.suppress(ProcessLookupError):
            scraper.terminate()
        await scraper.wait()


async def _started(*arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.benchmarks.scraped", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def _deliver(port: int, texts: list[str]) -> list[float]:
    """Send the requests, so many a second however long the answers take."""
    started = time.perf_counter()
    waiting: list[asyncio.Task[float]] = []
    for number, text in enumerate(texts):
        await asyncio.sleep(started + number / A_SECOND - time.perf_counter())
        sent = text.encode("latin-1")
        waiting.append(asyncio.create_task(seconds_to_answer(port, sent, b"HTTP/1.1 200")))
    return await asyncio.gather(*waiting)


async def _scrape(port: int) -> None:
    request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
    while True:
        await seconds_to_answer(port, request, b"HTTP/1.1 200")


if __name__ == "__main__":
    if sys.argv[1] == "scrape":
        asyncio.run(_scrape(int(sys.argv[2])))
    lines: list[str] = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    print(json.dumps(asyncio.run(_deliver(int(sys.argv[2]), lines))))  # noqa: T201 - the result
