"""Places partitions at the last applied record, in the log of the fence, or not at all."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from consumers.runtime.apply.failures import Action, HaltReason, Phase, back_off, decide, describe
from consumers.runtime.apply.offsets import Fence
from consumers.runtime.apply.process import Applier
from consumers.runtime.member.client import Client
from consumers.runtime.member.halts import Halt, other_cluster
from consumers.runtime.member.partition import Delayed, Found, Stopped
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.report import Report
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import MISSING, TopicSeen

AGAIN_SECONDS = 0.1
"""Pause before checking a log again that contradicts its fence: the answer may be outdated."""

BROKER_SECONDS = 10.0
"""How long the broker may take to answer about the logs."""

NEIGHBOURLY_SECONDS = 1.0
"""The same while placed partitions wait; each further attempt may take twice as long."""

LONGEST_NEIGHBOURLY_SECONDS = 4.0
"""Upper limit of such a time-out."""

LONGEST_SECONDS = 2.0
"""Longest pause before asking broker and store again: cheap, and soon notices a recovery."""

CONFIRM_SECONDS = 2.0
"""How long a broker may return the id of a topic that is already deleted, or not yet created."""


class LogUnknown(Exception):  # noqa: N818 - a state of the log, not an error
    """The broker does not return the bounds of a log, so its partition cannot be placed."""

    def __init__(self, partition: Partition, topic: TopicSeen) -> None:
        """State the partition, and the problem as far as the broker reports it."""
        super().__init__(_why_unknown(partition, topic))


@dataclass(frozen=True)
class Placing:
    """Places all unplaced partitions with one round of requests."""

    applier: Applier
    tuning: Tuning
    report: Report
    positions: Positions

    async def place(self, client: Client) -> bool:
        """Seek every unplaced partition to its fence; return whether there were any.

        Raises programming errors; after errors of broker and store, the partitions wait.
        """
        self.positions.wake(time.monotonic())
        wanted = sorted(self.positions.unplaced)
        if not wanted:
            return False
        seconds = self._seconds(wanted)
        try:
            topics = await client.topics({partition.topic for partition in wanted}, seconds)
            bounds = await client.bounds(wanted, seconds)
            # A broker without the topic (not yet, or no longer) has no valid bounds for it.
            there = {name for name, topic in topics.items() if topic.error != MISSING}
            bounds = {each: bounds[each] for each in bounds if each.topic in there}
            begin = {partition: bounds[partition].start for partition in bounds}
            fences = await self.applier.fences(begin, ids_of(topics.values()))
        except Exception as error:
            if decide(error, Phase.POSITION) is Action.RAISE:
                raise
            self._delay(wanted, error)
            return True
        for partition in bounds.keys() & fences.keys() & self.positions.unplaced.keys():
            self._place(client, fences[partition], bounds[partition], topics[partition.topic])
        for partition in bounds.keys() - fences.keys():
            halt_at(client, self.positions, self.report, other_cluster(partition))
        for partition in [each for each in wanted if each not in bounds]:
            self._delay([partition], LogUnknown(partition, topics[partition.topic]))
        return True

    def _seconds(self, wanted: Iterable[Partition]) -> float:
        """Return the time-out of a request to the broker.

        It grows with each attempt: even a broker that is always slow gets to answer
        in the end, although placed partitions wait for it.
        """
        if not self.positions.placed:
            return BROKER_SECONDS
        tries = max(map(self.positions.tries, wanted))
        return min(LONGEST_NEIGHBOURLY_SECONDS, NEIGHBOURLY_SECONDS * 2.0 ** min(tries, 16))

    def _place(self, client: Client, fence: Fence, bounds: LogBounds, topic: TopicSeen) -> None:
        partition = fence.partition
        try:
            halt_if_other_topic(fence, topic.topic_id)
            found = start_at(fence, bounds, topic)
        except Halt as halt:
            self._recheck_or_halt(client, fence, halt)
            return
        client.seek(partition, found.offset, bounds.stable)
        self.positions.send(partition, found)
        self.report.positioned(partition, found.offset)

    def _recheck_or_halt(self, client: Client, fence: Fence, halt: Halt) -> None:
        partition, now = halt.partition, time.monotonic()
        since = self.positions.unplaced[partition].short_since
        since = now if since is None else since
        if now - since < self._patience(halt):
            problem = f"checking again, as the broker may be late ({halt.reason.value} so far)"
            later = Delayed(now + AGAIN_SECONDS, problem, since, fence)
            self.positions.send(partition, later)
        else:
            halt_at(client, self.positions, self.report, halt, fence)

    def _patience(self, halt: Halt) -> float:
        """Return for how long the broker's answer may be outdated."""
        late = {
            HaltReason.BEYOND_END: self.tuning.beyond_end_seconds,
            HaltReason.OTHER_LOG: CONFIRM_SECONDS,
        }
        return late.get(halt.reason, 0)

    def _delay(self, partitions: Iterable[Partition], error: Exception) -> None:
        tries = max(map(self.positions.tries, partitions)) + 1
        self.report.retrying(Phase.POSITION, error, tries)
        longest = min(self.tuning.retry_longest_seconds, LONGEST_SECONDS)
        due = time.monotonic() + back_off(tries, longest)
        for partition in partitions:
            self.positions.delay(partition, due, describe(error))


def _why_unknown(partition: Partition, topic: TopicSeen) -> str:
    if topic.error == MISSING:
        return f"the broker has no topic {topic.name}"
    if topic.error is not None:
        return f"the broker answers {topic.error} for topic {topic.name}"
    seen = topic.partitions.get(partition.number)
    if seen is None:
        return f"the broker has no {partition}"
    if seen.leader is None:
        return f"{partition} has no leader"
    return f"the leader of {partition}, broker {seen.leader}, does not return its end offset"


def halt_at(
    client: Client, positions: Positions, report: Report, halt: Halt, fence: Fence | None = None
) -> None:
    """Halt a partition, if it is still assigned, and report it."""
    if halt.partition in positions.assigned:
        positions.send(halt.partition, Stopped(halt, fence))
        client.pause(halt.partition)
        report.halted(halt)


def ids_of(topics: Iterable[TopicSeen]) -> Mapping[str, UUID]:
    """Return topic ids by name, as far as the broker reports them."""
    return {topic.name: topic.topic_id for topic in topics if topic.topic_id is not None}


def halt_if_other_topic(fence: Fence, topic_id: UUID | None) -> None:
    """Raise Halt if the fence was stored for a different topic of this name.

    It cannot be checked if the broker reports no ids.
    """
    if topic_id is None or fence.topic_id in {None, topic_id}:
        return
    detail = (
        f"the topic was deleted and recreated: its id is {topic_id}, but the applied records"
        f" came from topic id {fence.topic_id}"
    )
    raise Halt(fence.partition, HaltReason.OTHER_LOG, detail)


def start_at(fence: Fence, bounds: LogBounds, topic: TopicSeen | None = None) -> Found:
    """Decide where to start reading, from the fence and the bounds of the log, or raise Halt.

    Starts at the last applied record, to compare it, if the log still has it;
    otherwise at the next one to apply.
    """
    partition = fence.partition
    if fence.next_offset > bounds.end:
        detail = (
            f"the next offset to apply is {fence.next_offset}, but the log ends at {bounds.end}:"
            " was the topic recreated, or records lost?"
        )
        raise Halt(partition, HaltReason.BEYOND_END, detail)
    if fence.next_offset < bounds.start:
        detail = (
            f"the next offset to apply is {fence.next_offset}, but the log begins at"
            f" {bounds.start}: {bounds.start - fence.next_offset} offsets were deleted"
            " before they were applied"
        )
        raise Halt(partition, HaltReason.BEFORE_START, detail)
    seen = topic.partitions.get(partition.number) if topic is not None else None
    topic_id = topic.topic_id if topic is not None else None
    epoch = seen.epoch if seen is not None else None
    last = fence.last
    if last is None or last.offset < bounds.start:
        return Found(fence, fence.next_offset, None, topic_id, epoch)
    return Found(fence, last.offset, last, topic_id, epoch)
