"""The gateways: they sign each delivery when it is sent, and send it again until it is accepted."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Producer

from router.contract.wire import encode_order
from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.evaluation.placed import placed_order
from router.evaluation.send import simulate
from router.providers import Key
from tests.parts.edge.raw_http import exchange, request
from tests.parts.whole_chaos.orders import Effect, Sold

_ATTEMPT_SECONDS: Final = 8.0
"""Longer than an endpoint's deadline: an edge that runs answers before."""

_AGAIN_SECONDS: Final = 0.4
_AT_ONCE: Final = 150
_ACKNOWLEDGED_SECONDS: Final = 300.0
SUCCESS: Final = range(200, 300)


@dataclass(frozen=True)
class Begun:
    """The first attempt to deliver an event."""

    number: int
    at: datetime


@dataclass
class Gateways:
    """Sends what is sold to the edges, at a rate, up to a number that the run moves on."""

    sold: Sequence[Sold]
    endpoints: dict[str, Endpoint]
    ports: Sequence[int]
    rate: float
    bootstrap: str
    order_topic: str
    begun: int = 0
    allowed: int = 0
    """Deliveries that may begin so far."""
    accepted: dict[int, float] = field(default_factory=dict)
    """When each delivery was first answered with success, by its number."""
    first: dict[Effect, Begun] = field(default_factory=dict)
    """When each event was first sent."""
    answers: Counter[str] = field(default_factory=Counter)
    """Statuses of all answers, and errors of connections."""
    _placed: int = 0

    def __post_init__(self) -> None:
        """Make the producer of the shop's orders, and what limits the deliveries under way."""
        quiet = logging.getLogger("tests.parts.whole_chaos.quiet")
        quiet.disabled = True
        self._producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": int(_ACKNOWLEDGED_SECONDS * 1000),
            },
            logger=quiet,
        )
        self._under_way = asyncio.Semaphore(_AT_ONCE)
        self._moved = asyncio.Event()

    def allow(self, number: int) -> None:
        """Let deliveries begin up to this number."""
        self.allowed = min(number, len(self.sold))
        self._moved.set()

    def sign_with(self, gateway: str, secret: str) -> None:
        """Sign with another secret from now on."""
        keys = [Key(secret.encode(), "fp:gateway")]
        self.endpoints[gateway] = replace(self.endpoints[gateway], keys=keys)

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send(tasks))
            yield
            await sending

    async def answered(self, number: int) -> None:
        """Wait until all deliveries before this number were accepted."""
        missing = set(range(number)) - self.accepted.keys()
        while missing:
            await asyncio.sleep(0.05)
            missing -= self.accepted.keys()

    async def acknowledged(self) -> None:
        """Wait until the broker has acknowledged every order."""
        left = await asyncio.to_thread(self._producer.flush, _ACKNOWLEDGED_SECONDS)
        assert left == 0, f"{left} orders were not acknowledged"
        assert self._placed == sum(each.place for each in self.sold), "an order was refused"

    async def _send(self, tasks: asyncio.TaskGroup) -> None:
        at = time.monotonic()
        while self.begun < len(self.sold):
            if self.begun >= self.allowed:
                self._moved.clear()
                await self._moved.wait()
                at = time.monotonic()
            await self._under_way.acquire()
            tasks.create_task(self._deliver(self.sold[self.begun]))
            each = self.sold[self.begun]
            self.first.setdefault(each.effect, Begun(each.number, datetime.now(UTC)))
            self.begun += 1
            at = max(at + 1 / self.rate, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, at - time.monotonic()))

    async def _deliver(self, each: Sold) -> None:
        try:
            if each.place:
                self._place(each)
            attempt = each.number
            while not await self._accepted(each, self.ports[attempt % len(self.ports)]):
                attempt += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            self.accepted[each.number] = time.monotonic()
        finally:
            self._under_way.release()

    async def _accepted(self, each: Sold, port: int) -> bool:
        made = simulate(self.endpoints[each.gateway], each.order)
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                answer = await exchange(port, _written(made))
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status)] += 1
        return answer.status in SUCCESS

    def _place(self, each: Sold) -> None:
        endpoint = self.endpoints[each.gateway]
        record = encode_order(placed_order(endpoint, endpoint, each.order), self.order_topic)
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        self._producer.produce(
            record.topic, record.value, record.key, headers=headers, on_delivery=self._kept
        )
        self._producer.poll(0)

    def _kept(self, error: object, _: object) -> None:
        self._placed += error is None


def _written(made: Delivery) -> bytes:
    return request(made.target, made.headers, made.body, made.method)


def resent(answers: Mapping[str, int], deliveries: int) -> int:
    """Return how many attempts were not accepted."""
    return sum(answers.values()) - deliveries
