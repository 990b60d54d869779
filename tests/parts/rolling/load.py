"""A gateway that delivers at a fixed rate, and sends again what was not accepted."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tests.parts.edge.raw_http import exchange
from tests.parts.edge.workers import delivery

AGAIN_SECONDS = 0.5
"""After so long, a delivery that was not accepted is sent to the other edge."""


@dataclass
class Gateway:
    """Deliveries to several edges, as a proxy divides them, and how long each took."""

    ports: Sequence[int]
    rate: float
    sent: int = 0
    again: int = 0
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds from the first attempt until a delivery was accepted, by its order."""

    @contextlib.asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver while the block runs; then wait until every delivery was accepted."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(over, tasks))
            try:
                yield
            finally:
                over.set()

    async def _send(self, over: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        started = time.monotonic()
        while not over.is_set():
            tasks.create_task(self._deliver(self.sent))
            self.sent += 1
            await asyncio.sleep(max(0.0, started + self.sent / self.rate - time.monotonic()))

    async def _deliver(self, number: int) -> None:
        began, attempt = time.monotonic(), 0
        while not await self._accepted(number, self.ports[(number + attempt) % len(self.ports)]):
            attempt += 1
            self.again += 1
            await asyncio.sleep(AGAIN_SECONDS)
        self.delays[f"A-{number + 1}"] = time.monotonic() - began

    async def _accepted(self, number: int, port: int) -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            return (await exchange(port, delivery(number + 1))).status == 200
        return False
