"""Maintains one working producer: connects it, watches it, replaces it.

aiokafka's idempotent producer retries forever, its `stop` never returns while
the broker is down, and it does not recover from a sequence error. So this
module sets time-outs for start and stop and replaces the producer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.background import in_background
from router.broker.adapter.bootstrap import cause_of
from router.broker.producers import stop_within
from router.telemetry.logs import Log

ProducerFactory = Callable[[], AIOKafkaProducer]


@dataclass(frozen=True)
class ProducerTiming:
    """Time-outs of a producer, and the interval between its checks."""

    stop_seconds: float = 3.0
    """How long it may take to stop before it is cut off."""
    connect_seconds: float = 10.0
    """How long it may take to start before the next one is tried."""
    watch_seconds: float = 1.0
    """Interval between checks while it serves."""


class ProducerState(StrEnum):
    """State of the connection to the broker."""

    CONNECTING = "connecting"
    """No producer, and the last one could not start: deliveries are refused at once."""
    SERVING = "serving"
    REPLACING = "replacing"
    """A producer failed: deliveries wait for the next one."""


class ProducerChange(StrEnum):
    """Result of starting or running a producer."""

    STARTED = "started"
    FAILED = "failed"


AFTER: Mapping[tuple[ProducerState, ProducerChange], ProducerState] = {
    (ProducerState.CONNECTING, ProducerChange.STARTED): ProducerState.SERVING,
    (ProducerState.CONNECTING, ProducerChange.FAILED): ProducerState.CONNECTING,
    (ProducerState.SERVING, ProducerChange.FAILED): ProducerState.REPLACING,
    (ProducerState.REPLACING, ProducerChange.STARTED): ProducerState.SERVING,
    (ProducerState.REPLACING, ProducerChange.FAILED): ProducerState.CONNECTING,
}


@dataclass
class ProducerLine:
    """Sequence of producers, at most one of which serves.

    `started` is called when a producer begins to serve, `watch` every second while it serves.
    An exception from `watch` replaces the producer. `replaced` is called after each producer,
    `ended` once it has stopped or was cut off: it acknowledges nothing after that.
    """

    make: ProducerFactory
    started: Callable[[], None]
    watch: Callable[[AIOKafkaProducer], Awaitable[None]]
    replaced: Callable[[], None]
    ended: Callable[[AIOKafkaProducer], None]
    log: Log
    timing: ProducerTiming = field(default_factory=ProducerTiming)
    state: ProducerState = ProducerState.CONNECTING
    detail: str = "not connected yet"
    """Reason why no producer is serving, as text."""
    _starting: AIOKafkaProducer | None = None
    _producer: AIOKafkaProducer | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def producer(self) -> AIOKafkaProducer | None:
        """The serving producer, None if none serves."""
        return self._producer

    @property
    def unavailable(self) -> bool:
        """Whether nothing serves, and nothing is about to: deliveries are refused at once."""
        return self._producer is None and self.state is not ProducerState.REPLACING

    def replace(self, producer: AIOKafkaProducer, why: str) -> None:
        """Replace a failed producer, unless it has already been replaced."""
        if producer is self._producer:
            self._change(ProducerChange.FAILED, None, why)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Maintain a producer while the block runs; then stop it within a time limit."""
        try:
            async with in_background(self._keep()):
                yield
        finally:
            await asyncio.gather(*self._stopping)

    async def _keep(self) -> None:
        pause = 0.1
        while True:
            producer = self._starting = self.make()
            try:
                async with asyncio.timeout(self.timing.connect_seconds):
                    await producer.start()
                self._change(ProducerChange.STARTED, producer, "")
                pause = 0.1
                await self._serve(producer)
            except (KafkaError, TimeoutError, OSError) as error:
                self._failed(producer, f"cannot reach the broker: {cause_of(error)}")
            except Exception as error:
                # Any error: without another producer nothing could be published.
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
                async with asyncio.timeout(self.timing.watch_seconds):
                    await changed.wait()

    def _failed(self, producer: AIOKafkaProducer, why: str) -> None:
        # A producer that served and was already replaced must not change the state again.
        if producer is self._starting or producer is self._producer:
            self._change(ProducerChange.FAILED, None, why)

    def _change(self, change: ProducerChange, producer: AIOKafkaProducer | None, why: str) -> None:
        self.state = AFTER[self.state, change]
        self._starting = None
        self.detail = why
        self._producer = producer
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _retire(self, producer: AIOKafkaProducer) -> None:
        """Stop a producer in the background: records in flight may still be acknowledged."""
        if producer is self._producer:
            self._producer = None
        task = asyncio.create_task(self._stop(producer))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        # Errors do not matter: this producer is not used again.
        with contextlib.suppress(Exception):
            await stop_within(producer, self.timing.stop_seconds)
        self.ended(producer)
