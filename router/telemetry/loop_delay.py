"""Measures how late the event loop wakes up: every task in it has to wait that long."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from prometheus_client import CollectorRegistry

from router.background import in_background
from router.telemetry.declaring import MetricDeclarations

INTERVAL_SECONDS = 0.1
"""Interval between measurements."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LoopDelay:
    """Measures the delay of the loop it runs in.

    `on_measured` is called with each delay, in seconds.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        on_measured: Callable[[float], None] = lambda _delay: None,
    ) -> None:
        """Declare the metric, which `measured` updates."""
        self._on_measured = on_measured
        self._due: float | None = None
        self._just_measured = 0.0
        self._delay = MetricDeclarations(registry).histogram(
            "payrouter_event_loop_delay_seconds",
            "How much later than requested the event loop woke up, measured ten times a second:"
            " work that blocks the loop, or a machine that is too busy",
            buckets=_SECONDS,
        )

    def now(self) -> float:
        """Return the maximum time, in seconds, that data read now may have waited for the loop."""
        overdue = 0.0 if self._due is None else time.monotonic() - self._due
        return max(overdue, self._just_measured, 0.0)

    @contextlib.asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        try:
            async with in_background(self._measure()):
                yield
        finally:
            self._due = None

    async def _measure(self) -> None:
        while True:
            self._due = time.monotonic() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            # The loop's clock may count whole milliseconds, so it can wake up slightly early.
            delay = max(time.monotonic() - self._due, 0)
            self._delay.observe(delay)
            self._on_measured(delay)
            self._keep_for_this_turn(delay)

    def _keep_for_this_turn(self, delay: float) -> None:
        """Keep a delay for data that is read later in the same iteration of the loop."""
        loop = asyncio.get_running_loop()
        self._just_measured = delay

        def forget() -> None:
            self._just_measured = 0.0

        # uvloop runs timers, then scheduled callbacks, then reads: the second call is after those.
        loop.call_soon(loop.call_soon, forget)
