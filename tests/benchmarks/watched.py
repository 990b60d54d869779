"""The same edge with and without metrics and log: what it costs to be seen."""

import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from router.configuration.settings import Settings, settings_from
from router.edge.app import EdgeProcess, build_edge
from router.edge.http.server import serving_deliveries
from router.telemetry.logs import configure_logging
from router.telemetry.management import listen
from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.deliveries import requests_of, store
from tests.benchmarks.running.rounds import once, send_beside
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import configuration, make_topics
from tests.parts.waiting import eventually

DELIVERIES = 1500
ROUNDS = 9

SEEN = "with metrics and log"
UNSEEN = "without"


Rounds = Mapping[str, Sequence[tuple[float, float]]]
"""Deliveries a second and microseconds for each, of every round."""


@dataclass(frozen=True)
class Cost:
    """What was measured, over the rounds."""

    per_second: dict[str, Figure]
    cpu_microseconds: dict[str, Figure]
    """Of the edge's process, per delivery: what other processes do does not disturb it."""


class Nothing:
    """Replacement for all metrics: every attribute and call returns it and does nothing."""

    def __getattr__(self, _name: str) -> "Nothing":
        """Return itself as any metric or method of one."""
        return self

    def __call__(self, *_said: object) -> "Nothing":
        """Do nothing."""
        return self


async def measure(broker: Broker, prefix: str, rounds: int = ROUNDS) -> Cost:
    """Send the same load to both by turns, from a separate process."""
    await make_topics(broker.bootstrap, prefix)
    settings = settings_from(configuration(broker.bootstrap, prefix))
    with tempfile.TemporaryDirectory() as folder:
        requests = store(Path(folder) / "requests.json", requests_of(settings, DELIVERIES))
        with _log_in(Path(folder) / "log") as log:
            async with _edge(settings, SEEN) as seen, _edge(settings, UNSEEN) as unseen:
                found = await _rounds({SEEN: seen, UNSEEN: unseen}, requests, rounds)
            _check(log, found)
    return Cost(
        *({name: Figure.of(r[i] for r in of) for name, of in found.items()} for i in (0, 1))
    )


async def _rounds(ports: dict[str, int], requests: Path, rounds: int) -> Rounds:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
    for number in range(rounds + 1):
        # The first round warms up; the order turns, so that neither is always the second.
        for name in sorted(ports, reverse=bool(number % 2)):
            _log_as(name)
            measured = await _round(ports[name], requests)
            if number:
                found[name].append(measured)
    return found


async def _round(port: int, requests: Path) -> tuple[float, float]:
    """Return deliveries a second, and microseconds of this process for each."""
    before = time.process_time()
    seconds = (await send_beside(once(port, requests))).seconds
    return DELIVERIES / seconds, (time.process_time() - before) / DELIVERIES * 1e6


@contextlib.asynccontextmanager
async def _edge(settings: Settings, name: str) -> AsyncIterator[int]:
    _log_as(name)
    process = build_edge(settings, lambda: datetime.now(UTC))
    if name == UNSEEN:
        _unmeasured(process)
    public = listen("127.0.0.1", 0)
    port = public.getsockname()[1]
    async with serving_deliveries(process.app, public, process.door):
        healthy = process.publisher.health
        await eventually(lambda: process.topics.health(healthy()).good, "a healthy edge")
        yield port


def _unmeasured(process: EdgeProcess) -> None:
    nothing: Any = Nothing()
    process.app.metrics = nothing
    handler = process.app.handler
    handler.metrics = nothing
    handler.intake = replace(handler.intake, observer=nothing)
    process.publisher._metrics = nothing  # noqa: SLF001 - only this test replaces it


def _log_as(name: str) -> None:
    configure_logging("info" if name == SEEN else "critical", "json")


@contextlib.contextmanager
def _log_in(path: Path) -> Iterator[Path]:
    """Write the log as under a service manager: JSON, standard error, a file."""
    # Standard error is line-buffered even if it is a file.
    with path.open("w", encoding="utf-8", buffering=1) as file, contextlib.redirect_stderr(file):
        try:
            yield path
        finally:
            structlog.reset_defaults()


def _check(log: Path, rounds: Rounds) -> None:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    wanted = DELIVERIES * (len(rounds[SEEN]) + 1)
    logged = sum(line["event"] == "delivery" for line in lines)
    if logged != wanted:
        message = f"{logged} deliveries in the log, not {wanted}"
        raise RuntimeError(message)
