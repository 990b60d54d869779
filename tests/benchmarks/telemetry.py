"""What the metrics and the log line of a delivery cost, by our code and by the libraries.

`python -m tests.benchmarks.telemetry` prints microseconds of CPU per delivery, by process time,
for deliveries that end one by one and for several that end in one turn of the event loop.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from statistics import median

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from router.contract.topics import Topics
from router.edge.delivery_log import DeliveryLog
from router.edge.intake import PHASES
from router.edge.metrics import EdgeMetrics
from router.edge.outcomes import ACCEPTED, NO_REASON
from router.edge.summary import Summary
from router.telemetry.logs import configure_logging
from router.terminal.processes import loop_factory
from tests.parts.edge.many_endpoints import endpoints

DELIVERIES = 4000
ROUNDS = 9
TURNS = (1, 8)
"""Deliveries that end in one turn of the event loop."""

OURS, LIBRARIES = "ours", "prometheus_client and structlog"

_NOW = datetime(2026, 11, 28, tzinfo=UTC)
_KEY = "fp:0123456789ab"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_EVENT = {
    "id": "8f7af8a8-479e-5a3e-9cd0-bd4446be7375",
    "type": "payment.confirmed",
    "reference": "A-1",
}

Deliver = Callable[[], None]
"""Counts one accepted delivery of one event, and writes its line."""


def measure() -> dict[str, dict[str, float]]:
    """Return microseconds of CPU per delivery, by number of deliveries per turn and by way."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # as every process does
    with _log_read_by_a_process(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        ways = {OURS: _ours(), LIBRARIES: _libraries()}
        return {
            f"{count} in a turn": {
                name: runner.run(_microseconds(deliver, count)) for name, deliver in ways.items()
            }
            for count in TURNS
        }


async def _microseconds(deliver: Deliver, count: int) -> float:
    return median([await _round(deliver, count) for _ in range(ROUNDS)])


async def _round(deliver: Deliver, count: int) -> float:
    """Return microseconds for each delivery, without those of the turns themselves."""
    nothing = await _cpu(lambda: None, count)
    return max(0.0, await _cpu(deliver, count) - nothing) / DELIVERIES * 1e6


async def _cpu(deliver: Deliver, count: int) -> float:
    started = time.process_time()
    for _ in range(DELIVERIES // count):
        for _ in range(count):
            deliver()
        await asyncio.sleep(0)
    return time.process_time() - started


def _summary() -> Summary:
    summary = Summary(None, "203.0.113.7")
    summary.endpoint, summary.provider = "merchant-0000", "blockatm"
    summary.events = [_EVENT]
    return summary


def _ours() -> Deliver:
    known, topic = endpoints(14), Topics().name("payment")
    metrics, deliveries, summary = (
        EdgeMetrics(CollectorRegistry(), known),
        DeliveryLog(),
        _summary(),
    )
    name = known[0].name

    def deliver() -> None:
        for phase in PHASES:
            metrics.phase(name, phase, 0.0007)
        metrics.genuine(name, _NOW, _NOW)
        metrics.unread(name, ())
        metrics.published(topic, "payment.confirmed", 0.003)
        metrics.of(name).answered(ACCEPTED, NO_REASON, _KEY, 0.006)
        deliveries.answered(summary, 200, 0.006)

    return deliver


def _libraries() -> Deliver:
    """Update as many series, each looked up once, and log the same line."""
    registry, summary, deliveries = CollectorRegistry(), _summary(), DeliveryLog()
    counters = [
        Counter(f"count_{number}", "Count", ["endpoint"], registry=registry).labels("shop")
        for number in range(4)
    ]
    durations = [
        Histogram(f"time_{number}", "T", ["endpoint"], buckets=_BUCKETS, registry=registry)
        for number in range(len(PHASES) + 2)
    ]
    observed = [duration.labels("shop") for duration in durations]

    def deliver() -> None:
        for histogram in observed:
            histogram.observe(0.003)
        for counter in counters:
            counter.inc()
        deliveries._by_structlog(summary, 200, 6.0)  # noqa: SLF001 - the way of all other lines

    return deliver


@contextlib.contextmanager
def _log_read_by_a_process() -> Iterator[None]:
    """Configure the log as JSON into a pipe that another process reads."""
    reader = [sys.executable, "-c", "import sys\nwhile sys.stdin.buffer.read1(65536): pass"]
    with subprocess.Popen(reader, stdin=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        with contextlib.redirect_stderr(process.stdin):
            configure_logging("info", "json")
        try:
            yield
        finally:
            structlog.reset_defaults()
            # The log has opened the pipe a second time, so it does not end by itself.
            process.kill()


def _print(found: Mapping[str, Mapping[str, float]]) -> None:
    for turn, ways in found.items():
        for name, microseconds in ways.items():
            print(f"{turn:<12} {name:<34} {microseconds:6.1f} µs")  # noqa: T201 - its output


if __name__ == "__main__":
    _print(measure())
