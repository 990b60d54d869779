"""Deliveries to an edge of a thousand endpoints, with and without continuous scrapes."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.deliveries import requests_of, store
from tests.benchmarks.running.generator import Order
from tests.benchmarks.running.rounds import CONNECTIONS, generator_command, send_beside
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import RunningEdge, configuration, make_topics, running_edge
from tests.parts.edge.many_endpoints import tables

ENDPOINTS = 1000
DELIVERIES = 200
A_SECOND = 20
ROUNDS = 3

SCRAPED = "with continuous scrapes"
UNSCRAPED = "without"

_SCRAPE = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
_LONG_SECONDS = 600.0


async def measure(broker: Broker, prefix: str, rounds: int = ROUNDS) -> dict[str, Figure]:
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
        return await _by_turns(edge, rounds)


async def _by_turns(edge: RunningEdge, rounds: int) -> dict[str, Figure]:
    p99: dict[str, list[float]] = {UNSCRAPED: [], SCRAPED: []}
    with tempfile.TemporaryDirectory() as folder:
        requests = store(Path(folder) / "requests.json", requests_of(edge.settings, DELIVERIES))
        scrape = store(Path(folder) / "scrape.json", [_SCRAPE])
        order = Order(edge.port, str(requests), CONNECTIONS, 0.0, A_SECOND)
        await send_beside(order)
        for _ in range(rounds):
            p99[UNSCRAPED].append((await send_beside(order)).p99)
            async with _scraping(edge.management_port, scrape):
                p99[SCRAPED].append((await send_beside(order)).p99)
    return {name: Figure.of(each) for name, each in p99.items()}


@contextlib.asynccontextmanager
async def _scraping(port: int, request: Path) -> AsyncIterator[None]:
    """Scrape without a pause, in a separate process."""
    command = generator_command(Order(port, str(request), 1, _LONG_SECONDS))
    scraper = await asyncio.create_subprocess_exec(*command)
    try:
        yield
        if scraper.returncode is not None:
            message = "the scraper ended with a problem"
            raise RuntimeError(message)
    finally:
        with contextlib.suppress(ProcessLookupError):
            scraper.terminate()
        await scraper.wait()
