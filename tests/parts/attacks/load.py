"""Genuine deliveries in quantity: `python -m tests.parts.attacks.load ORDER`.

Closed loop (`rate` 0): every connection sends as soon as it is answered. Open
loop: at a rate, on any free connection; if none is free, a new one is
opened up to `connections`, and beyond that the delivery counts as `busy`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from tests.parts.attacks.child import Order, Work, serve
from tests.parts.attacks.connection import Connection, connect
from tests.parts.attacks.genuine import NO_ANSWER, SOURCE
from tests.parts.attacks.requests import genuine

_TICK_SECONDS = 0.002


@dataclass
class _Load:
    port: int
    requests: Sequence[bytes]
    patience_seconds: float
    """How long the senders of a delivery wait before they send it again."""
    seconds: float
    idle: list[Connection] = field(default_factory=list)
    connections: int = 0
    ends: float = 0
    """When the last delivery may be sent."""
    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    async def closed_loop(self, connections: int, most: int) -> object:
        """Send on so many connections until the time or the number is up."""
        waiting = iter(cycle(self.requests))
        started = time.monotonic()
        self.ends = started + self.seconds

        async def one() -> None:
            while time.monotonic() < self.ends and self.counts["sent"] < most:
                await self._send(next(waiting), self.idle.pop() if self.idle else None)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one())
        return self._result(time.monotonic() - started)

    async def open_loop(self, connections: int, rate: float) -> object:
        """Send at a rate."""
        waiting = iter(cycle(self.requests))
        started = time.monotonic()
        self.ends = started + self.seconds
        offered = 0
        async with asyncio.TaskGroup() as group:
            while (passed := time.monotonic() - started) < self.seconds:
                for _ in range(int(passed * rate) - offered):
                    self._offer(group, next(waiting), connections)
                offered = max(offered, int(passed * rate))
                await asyncio.sleep(_TICK_SECONDS)
        self.counts["offered"] = offered
        return self._result(self.seconds)

    def _offer(self, group: asyncio.TaskGroup, request: bytes, connections: int) -> None:
        connection = None
        if self.idle:
            connection = self.idle.pop()
        elif self.connections < connections:
            self.connections += 1
        else:
            self.counts["busy"] += 1
            return
        group.create_task(self._send(request, connection))

    async def _send(self, request: bytes, connection: Connection | None) -> None:
        self.counts["sent"] += 1
        sent = time.monotonic()
        try:
            async with asyncio.timeout(self.patience_seconds * 4):
                if connection is None or connection.closed:
                    connection = await connect(self.port, SOURCE)
                status = await connection.status(request)
            self.idle.append(connection)
        except OSError:
            status = NO_ANSWER
            self.connections -= 1
        self._count(status, time.monotonic() - sent)

    def _count(self, status: int, seconds: float) -> None:
        if status == NO_ANSWER:
            self.counts["error"] += 1
        elif seconds > self.patience_seconds:
            self.counts["late_200" if status == 200 else "late_other"] += 1
        else:
            self.counts[str(status)] += 1
            # What is answered only after the load has ended would flatter the goodput.
            self.counts["good"] += status == 200 and time.monotonic() <= self.ends
        self.latencies.append(seconds)

    def _result(self, seconds: float) -> object:
        ordered = sorted(self.latencies) or [0.0]
        return {
            **self.counts,
            "seconds": seconds,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
            "max_ms": ordered[-1] * 1000,
        }


def prepare(order: Order) -> Work:
    """Sign one delivery for each payment of the order."""
    requests = genuine(order["payments"], order["first"])
    load = _Load(order["port"], requests, order["patience_seconds"], order["seconds"])
    if order["rate"]:
        return lambda: load.open_loop(order["connections"], order["rate"])
    return lambda: load.closed_loop(order["connections"], order["most"])


if __name__ == "__main__":
    serve(prepare)
