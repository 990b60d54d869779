"""Everything of one run: broker, database, processes, group and story."""

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from consumers.runtime.records import Partition, Reader
from consumers.runtime.service import Service
from tests.simulation.broker.logs import ModelBroker
from tests.simulation.checks.commits import CommitCheck
from tests.simulation.store.database import ModelDatabase
from tests.simulation.world.happenings import Schedule
from tests.simulation.world.member import Member

TOPIC = "payment"
OPERATOR = "operator"


@dataclass
class World:
    """The parts of one run, and what connects them."""

    schedule: Schedule
    dice: random.Random
    service: Service
    readers: Mapping[str, Reader]
    broker: ModelBroker = field(default_factory=ModelBroker)
    database: ModelDatabase = field(default_factory=ModelDatabase)
    checks: CommitCheck = field(init=False)
    members: list[Member] = field(default_factory=list)
    story: list[tuple[float, str]] = field(default_factory=list)
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    quiet_until: dict[Partition, float] = field(default_factory=dict)
    """Until when nothing is appended to a log that was replaced."""
    operated: dict[Partition, float] = field(default_factory=dict)
    """Until when the operator leaves a partition alone."""
    extra: int = 1000
    """The number of the latest event that no schedule has."""
    going_on: set[asyncio.Task[None]] = field(default_factory=set)
    """What happens now."""
    _generation: int = 0
    _ids: int = 0
    _callbacks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Connect the parts."""
        self.checks = CommitCheck(self.broker, OPERATOR, self.tell)
        self.database.pause = self.pause
        self.database.watch = self.checks.watch

    async def pause(self) -> None:
        """Wait for a moment of random length, or not at all."""
        if self.dice.random() < 0.25:
            await asyncio.sleep(self.dice.random() * 0.3)

    async def be_late(self) -> None:
        """Wait for a few seconds, or not at all."""
        if self.dice.random() < 0.4:
            await asyncio.sleep(self.dice.random() * 2.5)

    def now(self) -> float:
        """Return the seconds since the start."""
        return asyncio.get_running_loop().time() - self.began

    def tell(self, text: str) -> None:
        """Add to the story."""
        self.story.append((self.now(), text))

    def accuse(self, text: str) -> None:
        """Report a violation."""
        self.checks.accuse(text)

    def let_happen(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen next to everything else."""
        _spawn(self._watched(work), self.going_on)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a fault that cannot happen hides a violation
            self.accuse(f"something cannot happen: {error!r}")

    def ask_for_partitions(self) -> None:
        """Assign the partitions to the processes that the group knows, and tell each of them."""
        self._generation += 1
        generation = self._generation
        living = [each for each in self.members if each.is_alive and not each.expelled]
        if not living:
            return
        shares: dict[int, list[Partition]] = {each.number: [] for each in living}
        for partition in self.broker.partitions():
            shares[self.dice.choice(living).number].append(partition)
        for each in living:
            share = shares[each.number]
            _spawn(each.assign(share, lambda: generation == self._generation), self._callbacks)

    def new_topic_id(self) -> UUID:
        """Return the id of another topic."""
        self._ids += 1
        return uuid5(NAMESPACE_URL, f"topic {self._ids}")

    def partition(self, number: int) -> Partition:
        """Return a partition by its number."""
        return Partition(TOPIC, number % self.schedule.partitions)


def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
