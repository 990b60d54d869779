"""Keeps one sound producer: connects, watches, replaces.

aiokafka's idempotent producer never gives up by itself, its stop never
returns while the broker is away, and after a sequence error it does not
recover. So the bounded start and stop and the replacement are ours.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.producers import stop_within
from router.telemetry.logs import Log

STOP_SECONDS = 3.0
"""How long a producer may take to stop before it is cut off."""

CONNECT_SECONDS = 10.0
"""How long a producer may take to start before another is tried."""

WATCH_SECONDS = 1.0
"""How often the producer that serves is looked at."""

ProducerFactory = Callable[[], AIOKafkaProducer]


class Line(StrEnum):
    """The way to the broker."""

    CONNECTING = "connecting"
    """There is no producer, and the last one could not start: deliveries are refused at once."""
    SERVING = "serving"
    REPLACING = "replacing"
    """A producer failed: deliveries wait for the next one."""


class Turn(StrEnum):
    """What happens to a producer."""

    STARTED = "started"
    FAILED = "failed"


AFTER: Mapping[tuple[Line, Turn], Line] = {
    (Line.CONNECTING, Turn.STARTED): Line.SERVING,
    (Line.CONNECTING, Turn.FAILED): Line.CONNECTING,
    (Line.SERVING, Turn.FAILED): Line.REPLACING,
    (Line.REPLACING, Turn.STARTED): Line.SERVING,
    (Line.REPLACING, Turn.FAILED): Line.CONNECTING,
}


@dataclass
class ProducerLine:
    """`started` is called when a producer begins to serve, `watch` every second while it does.

    An exception from `watch` replaces the producer. `replaced` counts.
    """

    make: ProducerFactory
    started: Callable[[], None]
    watch: Callable[[AIOKafkaProducer], Awaitable[None]]
    replaced: Callable[[], None]
    log: Log
    state: Line = Line.CONNECTING
    detail: str = "not connected yet"
    """Why the line does not serve, for people."""
    _starting: AIOKafkaProducer | None = None
    _producer: AIOKafkaProducer | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    async def serving(self) -> AIOKafkaProducer | None:
        """Return the producer that serves, after waiting for a replacement; None where none is."""
        while self.state is Line.REPLACING:
            await self._changed.wait()
        return self._producer

    def broke(self, producer: AIOKafkaProducer, why: str) -> None:
        """Replace a producer, unless that has happened already."""
        if producer is self._producer:
            self._turn(Turn.FAILED, None, why)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a producer while the block runs; then stop it within bounds."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.gather(*self._stopping)

    async def _keep(self) -> None:
        pause = 0.1
        while True:
            producer = self._starting = self.make()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await producer.start()
                self._turn(Turn.STARTED, producer, "")
                pause = 0.1
                await self._serve(producer)
            except (KafkaError, TimeoutError, OSError) as error:
                self._failed(producer, f"cannot reach the broker: {type(error).__name__}")
            except Exception as error:
                # Whatever it was: without another producer nothing is kept.
                self.log.exception("producer_failed")
                self._failed(producer, f"the producer failed: {type(error).__name__}")
            finally:
                self._retire(producer)
            self.replaced()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5)

    async def _serve(self, producer: AIOKafkaProducer) -> None:
        self.started()
        while producer is self._producer:
            changed = self._changed
            await self.watch(producer)
            # Not `wait_for`, which in Python 3.11 can swallow the cancellation of this task.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await changed.wait()

    def _failed(self, producer: AIOKafkaProducer, why: str) -> None:
        # A producer that served and is replaced already has had its turn.
        if producer is self._starting or producer is self._producer:
            self._turn(Turn.FAILED, None, why)

    def _turn(self, turn: Turn, producer: AIOKafkaProducer | None, why: str) -> None:
        self.state = AFTER[self.state, turn]
        self._starting = None
        self.detail = why
        self._producer = producer
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _retire(self, producer: AIOKafkaProducer) -> None:
        """Stop a producer beside everything else: what it has under way may still succeed."""
        if producer is self._producer:
            self._producer = None
        task = asyncio.create_task(_stop(producer))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


async def _stop(producer: AIOKafkaProducer) -> None:
    # Whatever comes of it, this producer is not asked for anything any more.
    with contextlib.suppress(Exception):
        await stop_within(producer, STOP_SECONDS)
