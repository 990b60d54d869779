"""Reads one source in rounds, independently of the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from consumers.runtime.apply.failures import describe
from consumers.runtime.exporter.metrics import ExporterMetrics
from router.telemetry.logs import Log

END_SECONDS = 2.0
"""How long a cancelled round may take to end when the process stops."""


class MetricSource(Protocol):
    """A source that is read in rounds."""

    async def read(self) -> str | None:
        """Read everything; return the error if only a part failed. May raise any exception."""

    def lost(self) -> None:
        """Set all values of the source to unknown."""


RoundTimer = Callable[[], Awaitable[None]]
"""Returns when the next round must start."""


@dataclass
class Every:
    """A timer that returns at once the first time, and then after `seconds`."""

    seconds: float
    _first: bool = True

    async def __call__(self) -> None:
        """Wait until the next round must start."""
        if not self._first:
            await asyncio.sleep(self.seconds)
        self._first = False


@dataclass
class Rounds:
    """Runs the rounds of one source."""

    name: str
    source: MetricSource
    metrics: ExporterMetrics
    log: Log
    timer: RoundTimer
    deadline_seconds: float
    """Time-out for reading the source; after that, its values are unknown."""
    problem: str | None = "not read yet"
    """Error of the last round."""
    started: float = field(default_factory=time.monotonic)
    """Monotonic time of the last round's start."""
    _running: asyncio.Task[str | None] | None = None

    async def run(self) -> None:
        """Run rounds until cancelled."""
        try:
            while True:
                await self.timer()
                self.started = time.monotonic()
                self._report(await self._round())
        finally:
            await self._end()

    async def _round(self) -> str | None:
        """Read once, within the time-out; return the error, if any."""
        if self._running is None:
            self._running = asyncio.create_task(self.source.read())
        # A hanging read is not awaited further, and no second one is started.
        done, _ = await asyncio.wait({self._running}, timeout=self.deadline_seconds)
        if not done:
            self._running.cancel()
            self.source.lost()
            return f"no answer in {self.deadline_seconds:g} s"
        running, self._running = self._running, None
        return self._result(running)

    def _result(self, running: asyncio.Task[str | None]) -> str | None:
        if running.cancelled():
            self.source.lost()
            return f"no answer in {self.deadline_seconds:g} s"
        error = running.exception()
        if error is not None:
            self.source.lost()
            return describe(error)
        return running.result()

    def _report(self, problem: str | None) -> None:
        """Update the metrics, and log the result if it changed."""
        if problem is None:
            self.metrics.success.labels(self.name).set_to_current_time()
        else:
            self.metrics.failures.labels(self.name).inc()
        if problem is None and self.problem is not None:
            self.log.info("source_read", source=self.name)
        elif problem is not None and problem != self.problem:
            self.log.warning("source_failed", source=self.name, error=problem)
        self.problem = problem

    async def _end(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=END_SECONDS)
