"""Genuine deliveries, open loop: each is sent at its time, even if earlier ones are unanswered.

`python -m tests.parts.attacks.genuine ORDER`. Half of the deliveries each
open a connection; the others share kept-alive connections.
"""

import asyncio
import ssl
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.parts.attacks.child import Order, Work, serve
from tests.parts.attacks.connection import Connection, connect
from tests.parts.attacks.requests import genuine

# Of loopback: the attackers have others unless they share this one on purpose.
SOURCE = "127.0.0.1"

NO_ANSWER = 0


@dataclass
class _Gateway:
    port: int
    tls: ssl.SSLContext | None
    patience_seconds: float
    idle: list[Connection] = field(default_factory=list)

    async def deliver(self, request: bytes, due: float, *, kept_alive: bool) -> tuple[int, float]:
        """Return the status of one delivery and its seconds since it was due."""
        try:
            async with asyncio.timeout(self.patience_seconds):
                status = await (self._reused(request) if kept_alive else self._fresh(request))
        except OSError:
            # TimeoutError is one.
            status = NO_ANSWER
        return status, time.monotonic() - due

    async def _fresh(self, request: bytes) -> int:
        connection = await connect(self.port, SOURCE, self.tls)
        try:
            return await connection.status(request)
        finally:
            connection.close()

    async def _reused(self, request: bytes) -> int:
        connection = await self._idle_or_new()
        status = await connection.status(request)
        self.idle.append(connection)
        return status

    async def _idle_or_new(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if not connection.closed:
                return connection
        return await connect(self.port, SOURCE, self.tls)


def prepare(order: Order) -> Work:
    """Sign all deliveries before the first is due."""
    tls = ssl.create_default_context(cafile=order["tls"]) if order["tls"] else None
    gateway = _Gateway(order["port"], tls, order["patience_seconds"])
    rate = order["rate"]
    requests = genuine(int(order["seconds"] * rate), order["first"])
    return lambda: _all(gateway, requests, rate)


async def _all(gateway: _Gateway, requests: Sequence[bytes], rate: float) -> object:
    started = time.monotonic()
    tasks: list[asyncio.Task[tuple[int, float]]] = []
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = started + number / rate
            await asyncio.sleep(due - time.monotonic())
            sending: Coroutine[Any, Any, tuple[int, float]] = gateway.deliver(
                request, due, kept_alive=bool(number % 2)
            )
            tasks.append(group.create_task(sending))
    return [task.result() for task in tasks]


if __name__ == "__main__":
    serve(prepare)
