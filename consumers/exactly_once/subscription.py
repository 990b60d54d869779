"""One guarded subscriber: each record of its partitions passes here, and none passes unapplied."""

import asyncio

from aiokafka import ConsumerRebalanceListener, TopicPartition

from consumers.exactly_once.applying import Handle, RecordApplier
from consumers.exactly_once.errors import FenceMovedElsewhere, RecordsMissing
from consumers.exactly_once.partitions import AssignedPartition, Partitions
from consumers.exactly_once.placing import Place, require_explained
from consumers.exactly_once.reporting import Reporter
from consumers.exactly_once.unreadable import TolerantReading
from consumers.runtime.records import Record


class GuardedSubscription:
    """Applies the records of one group member, one after the other."""

    def __init__(self, partitions: Partitions, applier: RecordApplier) -> None:
        """Begin without an assignment."""
        self.partitions = partitions
        self._applier = applier
        self._reporter = Reporter()
        self._one_by_one = asyncio.Lock()

    async def apply(self, record: Record, handle: Handle) -> None:
        """Apply a record if it is the next one of its partition.

        A record that is not is dropped, since its partition is read again from its fence. An
        exception blocks the partition, and is raised for FastStream's log and its middlewares.
        """
        async with self._one_by_one:
            state = self.partitions.state(record.partition)
            if state is None or state.blocked:
                return
            place = await self._placed(state, record)
            if place is not None:
                await self._apply(state, place, record, handle)

    async def _placed(self, state: AssignedPartition, record: Record) -> Place | None:
        """Return the place of a record that is the next one; None if it has to be read again."""
        place, partitions = state.place, self.partitions
        try:
            if place is None or record.offset < place.fence.next_offset:
                await partitions.place(state)
                return None
            if not await partitions.is_checked(state, place):
                await partitions.place(state)
                return None
            if record.offset > place.fence.next_offset:
                gap = range(place.fence.next_offset, record.offset)
                await require_explained(partitions.consumer, record.partition, gap)
        except Exception as error:
            missing = isinstance(error, RecordsMissing)
            partitions.block(state, error, record.offset if missing else None)
            raise
        return place

    async def _apply(
        self, state: AssignedPartition, place: Place, record: Record, handle: Handle
    ) -> None:
        try:
            fence, _ = await self._applier.apply(place.fence, record, handle)
        except FenceMovedElsewhere:
            # By the process that owned the partition before or owns it now, or by an operator.
            await self._place_again(state)
            return
        except Exception as error:
            self.partitions.block(state, error, record.offset)
            raise
        if state.place is place:
            self.partitions.pass_on(state, Place(fence, place.topic_id, place.epoch))
        self._reporter.passed(self.partitions.consumer, state.at, fence.next_offset)

    async def _place_again(self, state: AssignedPartition) -> None:
        try:
            await self.partitions.place(state)
        except Exception as error:
            self.partitions.block(state, error)
            raise


class Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Passes a group member's assignments on, and returns at once: a slow one is evicted."""

    def __init__(self, partitions: Partitions) -> None:
        """Forward to these."""
        self._partitions = partitions
        self._reading = TolerantReading(partitions)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        """Forget the assignment; with aiokafka's assignors all of it is revoked."""
        # Not a plain function: FastStream would call it in a thread.
        self._partitions.revoke()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin the assignment."""
        self._reading.watch(self._partitions.consumer)
        self._partitions.assign(assigned)
