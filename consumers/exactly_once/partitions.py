"""The partitions of one group member: placed, or blocked and tried again; never skipped over."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from consumers.exactly_once.errors import LogUnavailable
from consumers.exactly_once.placing import FencePlacing, Place
from consumers.exactly_once.timing import Timing
from consumers.runtime.records import Partition


@dataclass
class AssignedPartition:
    """What is known of an assigned partition."""

    partition: Partition
    place: Place | None = None
    problem: str | None = None
    """Why it was blocked; kept until it is solved, also while it is tried again."""
    blocked: bool = False
    failed_offset: int | None = None
    """Offset of the record that the problem is about; None if it is about placing."""
    tries: int = 0
    checked: float = 0.0
    task: asyncio.Task[None] | None = None
    placing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def at(self) -> TopicPartition:
        """The partition in aiokafka's form."""
        return TopicPartition(self.partition.topic, self.partition.number)


class Partitions:
    """States of the assigned partitions; each assignment begins with new ones."""

    def __init__(self, placing: FencePlacing, timing: Timing) -> None:
        """Begin without an assignment."""
        self._placing = placing
        self._timing = timing
        self._states: dict[Partition, AssignedPartition] = {}
        self.subscriber: Any = None
        """FastStream's subscriber, which makes a new consumer at each start."""

    @property
    def problems(self) -> Mapping[Partition, str]:
        """Why partitions are blocked."""
        return {
            partition: state.problem
            for partition, state in self._states.items()
            if state.problem is not None
        }

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """The consumer of the running subscriber."""
        consumer: AIOKafkaConsumer | None = self.subscriber.consumer
        if consumer is None:
            message = "the subscriber has no consumer: the guard needs a running Kafka"
            raise LogUnavailable(message)
        return consumer

    @property
    def placed(self) -> list[AssignedPartition]:
        """States of the partitions that are read now."""
        return [state for _, state in sorted(self._states.items()) if state.place is not None]

    def assign(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin a new assignment; places its partitions in the background, at once.

        Without that, a fence behind Kafka's own offset would only be noticed with the next record.
        """
        self.revoke()
        for at in assigned:
            partition = Partition(at.topic, at.partition)
            state = self._states[partition] = AssignedPartition(partition)
            state.task = asyncio.create_task(self._try_to_place(state, 0))

    def revoke(self) -> None:
        """End the assignment; a record being applied may still commit, if its fence allows it."""
        for state in self._states.values():
            if state.task is not None:
                state.task.cancel()
        self._states = {}

    async def end(self) -> None:
        """End the assignment, and wait until nothing works in the background."""
        tasks = [state.task for state in self._states.values() if state.task is not None]
        self.revoke()
        await asyncio.gather(*tasks, return_exceptions=True)

    def state(self, partition: Partition) -> AssignedPartition | None:
        """Return the state of a partition, None if it is not assigned any more."""
        assigned = TopicPartition(*partition) in self.consumer.assignment()
        if assigned and partition not in self._states:
            # An exception of the callback on assignment would only be logged.
            self._states[partition] = AssignedPartition(partition)
        return self._states.get(partition)

    async def place(self, state: AssignedPartition) -> None:
        """Place a partition and continue reading there; raises what `FencePlacing.place` raises."""
        async with state.placing:
            state.place = None
            place = await self._placing.place(self.consumer, state.partition)
            if self._states.get(state.partition) is not state:
                return
            with contextlib.suppress(IllegalStateError):
                # Otherwise it was revoked in the meantime.
                self.consumer.seek(state.at, place.fence.next_offset)
                self.consumer.resume(state.at)
                state.place, state.blocked, state.checked = place, False, time.monotonic()
                failed = state.failed_offset
                if failed is None or failed < place.fence.next_offset:
                    state.problem = None

    async def is_checked(self, state: AssignedPartition, place: Place) -> bool:
        """Return whether a placed log is still the same one, asking the broker at intervals."""
        if time.monotonic() - state.checked < self._timing.check_seconds:
            return True
        same = await self._placing.is_same(self.consumer, place)
        if same:
            state.checked = time.monotonic()
        return same

    def pass_on(self, state: AssignedPartition, place: Place) -> None:
        """Continue behind a record that was passed."""
        state.place, state.problem = place, None
        state.tries, state.failed_offset = 0, None

    def block(
        self, state: AssignedPartition, error: Exception, failed_offset: int | None = None
    ) -> None:
        """Stop reading a partition; after a pause it is placed again, at its fence.

        `failed_offset` is the offset of the record that failed, if it is one.
        """
        state.place, state.problem = None, f"{type(error).__name__}: {error}"
        state.blocked = True
        if failed_offset is not None:
            state.failed_offset = failed_offset
        if self.subscriber.consumer is None:
            # Stopped: the next start begins a new assignment.
            return
        with contextlib.suppress(IllegalStateError):
            self.consumer.pause(state.at)
        pause = self._timing.back_off(state.tries)
        state.tries += 1
        state.task = asyncio.create_task(self._try_to_place(state, pause))

    async def _try_to_place(self, state: AssignedPartition, pause: float) -> None:
        await asyncio.sleep(pause)
        placed = state.place is not None or state.placing.locked()
        if placed or not self._is_current(state):
            return
        try:
            await self.place(state)
        except Exception as error:  # noqa: BLE001 - every error is tried again
            logger = logging.getLogger("payrouter.exactly_once")
            logger.error("%s is blocked: %s", state.partition, error)  # noqa: TRY400
            if self._is_current(state):
                self.block(state, error)

    def _is_current(self, state: AssignedPartition) -> bool:
        running = self.subscriber.consumer is not None
        return running and self._states.get(state.partition) is state
