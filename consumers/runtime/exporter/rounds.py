"""Reads one source again and again, whatever becomes of the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from consumers.runtime.apply.failures import describe
from consumers.runtime.exporter.metrics import ExporterMetrics
from router.telemetry.logs import Log

DEADLINE_SECONDS = 10.0
"""How long a source may take; after that nothing of it is known."""

END_SECONDS = 2.0
"""How long a round that is cut off by the end of the process may take to end."""


class Source(Protocol):
    """What can be read."""

    async def read(self) -> str | None:
        """Read everything; return what could not be read where the rest could. Raises anything."""

    def lost(self) -> None:
        """Nothing is known of it now."""


Turn = Callable[[], Awaitable[None]]
"""Returns when the next round is to begin."""


@dataclass
class Every:
    """A turn at once, and then one so many seconds after the last round."""

    seconds: float
    _first: bool = True

    async def __call__(self) -> None:
        """Wait for it."""
        if not self._first:
            await asyncio.sleep(self.seconds)
        self._first = False


@dataclass
class Rounds:
    """The rounds of one source."""

    name: str
    source: Source
    metrics: ExporterMetrics
    log: Log
    turn: Turn
    problem: str | None = "not read yet"
    """What went wrong in the last round."""
    ticked: float = field(default_factory=time.monotonic)
    _running: asyncio.Task[str | None] | None = None

    async def run(self) -> None:
        """Make rounds until cancelled."""
        try:
            while True:
                await self.turn()
                self.ticked = time.monotonic()
                self._tell(await self._round())
        finally:
            await self._end()

    async def _round(self) -> str | None:
        """Read once, within the deadline; return what went wrong."""
        if self._running is None:
            self._running = asyncio.create_task(self.source.read())
        # What hangs is not waited for, and nothing is begun beside it.
        done, _ = await asyncio.wait({self._running}, timeout=DEADLINE_SECONDS)
        if not done:
            self._running.cancel()
            self.source.lost()
            return f"no answer in {DEADLINE_SECONDS:g} s"
        running, self._running = self._running, None
        return self._came_to(running)

    def _came_to(self, running: asyncio.Task[str | None]) -> str | None:
        if running.cancelled():
            self.source.lost()
            return f"no answer in {DEADLINE_SECONDS:g} s"
        error = running.exception()
        if error is not None:
            self.source.lost()
            return describe(error)
        return running.result()

    def _tell(self, problem: str | None) -> None:
        """Count it, and log what is news."""
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
