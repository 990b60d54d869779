"""A process of the simulated consumer: the real loop and upkeep, to be killed or frozen."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumers.runtime.apply.failures import Action, Phase, decide
from consumers.runtime.apply.process import Applier
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.relay import Relay
from consumers.runtime.member.upkeep import Upkeep
from consumers.runtime.records import Partition, Reader
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings, ConsumerTiming, Tuning
from tests.simulation.broker.consumer import ModelConsumer
from tests.simulation.broker.logs import ModelBroker
from tests.simulation.broker.producer import ModelProducer
from tests.simulation.store.books import ModelBooks
from tests.simulation.store.database import ModelDatabase
from tests.simulation.world.report import SimReport

if TYPE_CHECKING:
    from consumers.runtime.apply.stored_books import StoredBooks
    from consumers.runtime.member.report import Report

TUNING = Tuning(
    batch_records=6,
    batch_wait_seconds=1.0,
    session_timeout_seconds=3,
    rebalance_timeout_seconds=5,
    transaction_timeout_seconds=2,
    retry_longest_seconds=2,
    beyond_end_seconds=2,
    attempts=4,
    park_seconds=0.3,
    park_longest_seconds=2,
    brake_after=3,
)
TIMING = ConsumerTiming(idle_seconds=0.7, silent_seconds=4, unanswered_seconds=6, paused_seconds=3)

_RESTART_SECONDS = 0.5


class Surroundings(Protocol):
    """What a process finds in its world."""

    broker: ModelBroker
    database: ModelDatabase
    service: Service
    readers: Mapping[str, Reader]

    async def pause(self) -> None:
        """Wait for a moment of random length, or not at all."""

    async def be_late(self) -> None:
        """Wait for a few seconds, or not at all."""

    def tell(self, text: str) -> None:
        """Add to the story."""

    def ask_for_partitions(self) -> None:
        """Ask the group to assign the partitions again."""

    def accuse(self, text: str) -> None:
        """Report a violation."""


@dataclass
class Member:
    """A process. It is frozen while `_thawed` is not set."""

    number: int
    world: Surroundings
    loop: Loop | None = None
    consumer: ModelConsumer | None = None
    expelled: bool = False
    """Whether the group has given up on it."""
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)
    _callbacks: asyncio.Lock = field(default_factory=asyncio.Lock)
    _life: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Its name in the story."""
        return f"process {self.number}"

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or is frozen."""
        return self._life is not None

    @property
    def is_frozen(self) -> bool:
        """Whether it is frozen."""
        return not self._thawed.is_set()

    async def gate(self) -> None:
        """Return once it is not frozen."""
        while not self._thawed.is_set():
            await self._thawed.wait()

    def start(self) -> None:
        """Start it."""
        self._thawed.set()
        self.expelled = False
        self._life = asyncio.create_task(self._live())

    async def kill(self) -> None:
        """End it at once, wherever it is."""
        life, self._life = self._life, None
        self.loop = self.consumer = None
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life

    def freeze(self) -> None:
        """Stop it at its next step."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Let it continue."""
        self._thawed.set()

    async def assign(
        self, partitions: Collection[Partition], is_current: Callable[[], bool]
    ) -> None:
        """Revoke what it has and assign these partitions, as the group's callbacks do."""
        # A process may learn late that its partitions belong to another one.
        await self.world.be_late()
        async with self._callbacks:
            await self.gate()
            loop, consumer = self.loop, self.consumer
            if loop is None or consumer is None or not is_current():
                return
            await loop.on_revoked()
            await self.gate()
            # If there is a newer assignment by now, its own callbacks follow.
            if is_current() and self.loop is loop:
                consumer.assign(partitions)
                loop.on_assigned(set(partitions))

    async def _live(self) -> None:
        while True:
            try:
                await self._consume()
            except Exception as error:  # noqa: BLE001 - as the composition root does
                if decide(error, Phase.START) is Action.RAISE:
                    self.world.accuse(f"{self.name} ends with {type(error).__name__}: {error}")
                self.world.tell(f"{self.name} replaces its client: {type(error).__name__}")
            await asyncio.sleep(_RESTART_SECONDS)

    async def _consume(self) -> None:
        """Run the loop and the upkeep of one client, as `consumers.runtime.member.app` does."""
        world = self.world
        books = ModelBooks(world.database, self.gate, self.number)
        report = cast("Report", SimReport(self.name, world.tell))
        applier = Applier(
            books, world.service, _handler(world.service), TUNING.brake_after, world.readers
        )
        loop = Loop(applier, TUNING, report, TIMING)
        consumer = ModelConsumer(world.broker, self.gate, world.pause)
        relay = Relay(books, self._producer, TUNING.transaction_timeout_seconds / 2)
        upkeep = Upkeep(
            applier,
            cast("StoredBooks", books),
            cast("ConsumerSettings", SimpleNamespace(tuning=TUNING, timing=TIMING)),
            (),
            loop,
            report,
            cast("AIOKafkaConsumer", consumer),
            cast("Any", None),
        )
        self.loop, self.consumer = loop, consumer
        world.ask_for_partitions()
        tasks = [asyncio.create_task(each) for each in _rounds(upkeep, relay)]
        try:
            await loop.run(cast("AIOKafkaConsumer", consumer))
        finally:
            for task in tasks:
                task.cancel()
            loop.forget()

    def _producer(self) -> AIOKafkaProducer:
        made = ModelProducer(self.world.broker, self.gate, self.world.pause)
        return cast("AIOKafkaProducer", made)


def _handler(service: Service) -> Any:  # noqa: ANN401 - of messages of any kind
    assert service.handle is not None
    return service.handle


def _rounds(upkeep: Upkeep, relay: Relay) -> list[Coroutine[Any, Any, None]]:
    repeat = upkeep._repeat  # noqa: SLF001 - its rounds are made by `running`, with a real producer
    return [
        repeat("watch", upkeep.watch, 2.0),
        repeat("identity", upkeep.identity, 5.0),
        repeat("parked", upkeep.retry, 1.0),
        repeat("outbox", partial(upkeep.publish, relay), 2.0),
    ]
