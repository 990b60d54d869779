"""How late the event loop wakes up: whatever runs in it waits as long."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry, Histogram

INTERVAL_SECONDS = 0.1
"""How often the loop is asked to wake up."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LoopDelay:
    """Measures the delay of the loop it runs in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the metric; `measured` fills it."""
        self._delay = Histogram(
            "payrouter_event_loop_delay_seconds",
            "How much later than asked for the event loop woke up, ten times a second: work that"
            " does not let go of it, or a machine that is too busy",
            buckets=_SECONDS,
            registry=registry,
        )

    @contextlib.asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        task = asyncio.create_task(self._measure())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _measure(self) -> None:
        while True:
            wanted = time.monotonic() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            # The loop's own clock may be of whole milliseconds, so it can be a little early.
            self._delay.observe(max(time.monotonic() - wanted, 0))
