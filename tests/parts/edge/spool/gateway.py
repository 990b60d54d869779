"""A gateway that sends the payments of each order one after another, until each is accepted."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.raw_http import exchange, request
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Answered:
    """An answer, or None if the connection was cut, and its duration in seconds."""

    status: int | None
    seconds: float
    at: float


@dataclass
class PatientGateway:
    """Sends `per_second` deliveries from `senders` tasks, each with a separate order."""

    port: int
    per_second: float
    senders: int = 20
    answers: list[Answered] = field(default_factory=list)
    accepted: list[list[str]] = field(default_factory=list)
    """The references that were answered with success, in order, of each sender."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until stopped; each delivery is repeated until it is accepted."""
        self.accepted = [[] for _ in range(self.senders)]
        await asyncio.gather(*(self._send(sender) for sender in range(self.senders)))

    async def _send(self, sender: int) -> None:
        number, every = 0, self.senders / self.per_second
        loop = asyncio.get_running_loop()
        due = loop.time() + every * sender / self.senders
        while not self.stopped.is_set():
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + every, loop.time())
            await self._until_accepted(sender, number)
            number += 1

    async def _until_accepted(self, sender: int, number: int) -> None:
        changes = {"orderNo": f"order-{sender}", "id": sender * 1_000_000 + number}
        sent = webhook(body_of(PAYMENT, **changes), time=str(time.time_ns() // 1_000_000))
        while not self.stopped.is_set():
            started, status = time.monotonic(), None
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, AssertionError):
                asked = request("/webhooks/shop", sent.headers, sent.body)
                status = (await exchange(self.port, asked)).status
            self.answers.append(Answered(status, time.monotonic() - started, started))
            if status == 200:
                self.accepted[sender].append(str(sender * 1_000_000 + number))
                return
            await asyncio.sleep(_PAUSE_SECONDS)
