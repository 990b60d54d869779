"""A scripted producer, and a publisher that runs on such producers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from router.edge.metrics import EdgeMetrics
from router.edge.publishing.producer_line import ProducerTiming
from router.edge.publishing.publish import KafkaPublisher, PublishTiming
from router.edge.publishing.record_room import RecordRoom
from router.telemetry.logs import get_log
from tests.parts.waiting import eventually

QUICK = PublishTiming(
    probe_seconds=0.02,
    trial_seconds=0.02,
    producer=ProducerTiming(stop_seconds=0.02, connect_seconds=0.02, watch_seconds=0.02),
)
"""For producers that answer, or fail, at once."""

TOPICS = ("payment", "quarantine")


@dataclass
class ScriptedBatch:
    """A batch that has room for one record."""

    value: bytes | None = None
    closed: bool = False

    def append(self, *, value: bytes, **_options: object) -> object | None:
        """Accept the first record; return None for any other."""
        if self.closed or self.value is not None:
            return None
        self.value = value
        return object()

    def close(self) -> None:
        """Accept no more records."""
        self.closed = True


@dataclass
class ScriptedProducer:
    """Replaces aiokafka's producer: records its calls, gives scripted answers."""

    start_raises: BaseException | None = None
    send_raises: KafkaError | None = None
    probe_raises: BaseException | None = None
    stop_raises: BaseException | None = None
    hangs: str = ""
    topics: tuple[str, ...] = TOPICS
    sent: list[tuple[bytes, asyncio.Future[object]]] = field(default_factory=list)
    alone: list[bytes] = field(default_factory=list)
    """Records whose batch accepts no others."""
    stopped: bool = False

    async def start(self) -> None:
        """Connect."""
        await self._hang("start")
        if self.start_raises is not None:
            raise self.start_raises

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._hang("stop")
        self.stopped = True
        if self.stop_raises is not None:
            raise self.stop_raises

    async def send(self, _topic: str, value: bytes, **_options: object) -> asyncio.Future[object]:
        """Accept a record; return the future of its acknowledgement."""
        if self.send_raises is not None:
            raise self.send_raises
        acknowledged = asyncio.get_running_loop().create_future()
        self.sent.append((value, acknowledged))
        return acknowledged

    async def look(self) -> Sequence[str]:
        """Return the problems that a probe finds."""
        await self._hang("probe")
        if self.probe_raises is not None:
            raise self.probe_raises
        return [f"no such topic: {name}" for name in TOPICS if name not in self.topics]

    def create_batch(self) -> "ScriptedBatch":
        """Return a batch to be filled."""
        return ScriptedBatch()

    async def partitions_for(self, _topic: str) -> set[int]:
        """Return the partitions of a topic."""
        return {0}

    async def send_batch(
        self, batch: "ScriptedBatch", topic: str, *, partition: int
    ) -> asyncio.Future[object]:
        """Accept a batch of one record."""
        assert partition == 0
        assert batch.value is not None
        if batch.closed:
            self.alone.append(batch.value)
        return await self.send(topic, batch.value)

    async def acknowledge(self, error: KafkaError | None = None) -> None:
        """Answer the oldest unanswered record, once there is one."""
        await eventually(self._unanswered, "an unanswered record", seconds=20, pause=0)
        oldest = self._unanswered()[0]
        if error is None:
            oldest.set_result(object())
        else:
            oldest.set_exception(error)

    def _unanswered(self) -> list[asyncio.Future[object]]:
        return [future for _, future in self.sent if not future.done()]

    async def _hang(self, where: str) -> None:
        if self.hangs == where:
            await asyncio.Event().wait()


@dataclass
class RunningPublisher:
    """A running publisher, and the producers it has made."""

    publisher: KafkaPublisher
    made: list[ScriptedProducer]
    registry: CollectorRegistry

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        await eventually(true, pause=0.005)

    async def until_well(self, *, well: bool = True) -> None:
        """Wait until the publisher is healthy."""
        await self.until(lambda: self.publisher.health().good is well)

    def failures(self, reason: str) -> float | None:
        """Return how many records were counted as failed for a reason."""
        return self.registry.get_sample_value(
            "payrouter_publish_failures_total", {"reason": reason}
        )


@asynccontextmanager
async def running_publisher(
    *producers: ScriptedProducer, room: RecordRoom | None = None, timing: PublishTiming = QUICK
) -> AsyncIterator[RunningPublisher]:
    """Run a publisher on these producers, then on working ones."""
    made: list[ScriptedProducer] = []
    coming = iter([*producers, *(ScriptedProducer() for _ in range(1000))])

    def make() -> Any:  # noqa: ANN401 - in the place of aiokafka's
        made.append(next(coming))
        return made[-1]

    registry = CollectorRegistry()
    room = room or RecordRoom(1024 * 1024)
    metrics = EdgeMetrics(registry)
    publisher = KafkaPublisher(
        make, ScriptedProducer.look, room, metrics, get_log("publish"), timing
    )
    async with publisher.running():
        yield RunningPublisher(publisher, made, registry)
