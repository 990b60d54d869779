"""Places partitions: at the last applied record, in the log that the fence knows, or not at all."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from consumers.runtime.apply.failures import Action, HaltReason, Phase, back_off, decide, describe
from consumers.runtime.apply.offsets import Fence
from consumers.runtime.apply.process import Applier
from consumers.runtime.member.client import Client
from consumers.runtime.member.halts import Halt
from consumers.runtime.member.partition import Delayed, Found, Stopped
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.report import Report
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import MISSING, TopicSeen

AGAIN_SECONDS = 0.1
"""Until a log that contradicts its fence is asked again, while it may still be a late answer."""

BROKER_SECONDS = 10.0
"""How long the broker may take to answer about the logs."""

NEIGHBOURLY_SECONDS = 1.0
"""The same, while other partitions wait to be read on; each further try may take twice as long."""

LONGEST_NEIGHBOURLY_SECONDS = 4.0
"""How long such a try may take at most."""

LONGEST_SECONDS = 2.0
"""Until broker and store are asked again: asking is cheap, and whoever is back is to be noticed."""

CONFIRM_SECONDS = 2.0
"""How long a broker may answer with the id of a topic that is no longer, or not yet, there."""


class LogUnknown(Exception):  # noqa: N818 - reads as what it is
    """The broker does not say where a log begins and ends, so nothing of it can be placed."""

    def __init__(self, partition: Partition, topic: TopicSeen) -> None:
        """Name the partition, and what is wrong with it as far as the broker says."""
        super().__init__(_why_unknown(partition, topic))


@dataclass(frozen=True)
class Placing:
    """Places what is unplaced, one round of questions for all of it."""

    applier: Applier
    tuning: Tuning
    report: Report
    positions: Positions

    async def place(self, client: Client) -> bool:
        """Seek every unplaced partition to where its fence says; tell whether any was asked for.

        Raises what is a mistake of ours; what broker and store answer is waited for.
        """
        self.positions.wake(time.monotonic())
        wanted = sorted(self.positions.unplaced)
        if not wanted:
            return False
        seconds = self._seconds(wanted)
        try:
            topics = await client.topics({partition.topic for partition in wanted}, seconds)
            bounds = await client.bounds(wanted, seconds)
            # A broker that does not know the topic yet, or any longer, tells nothing about it.
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
        for partition in [each for each in wanted if each not in bounds]:
            self._delay([partition], LogUnknown(partition, topics[partition.topic]))
        return True

    def _seconds(self, wanted: Iterable[Partition]) -> float:
        """Return how long the broker may take for an answer.

        A broker that is always slow has to be heard in the end, whoever waits meanwhile.
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
            problem = f"asked again, as the broker may be late ({halt.reason.value} so far)"
            later = Delayed(now + AGAIN_SECONDS, problem, since, fence)
            self.positions.send(partition, later)
        else:
            halt_at(client, self.positions, self.report, halt, fence)

    def _patience(self, halt: Halt) -> float:
        """Return for how long the broker that answers may just be late."""
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
    return f"the leader of {partition}, broker {seen.leader}, does not say where it ends"


def halt_at(
    client: Client, positions: Positions, report: Report, halt: Halt, fence: Fence | None = None
) -> None:
    """Halt a partition that is still assigned, and report it."""
    if halt.partition in positions.assigned:
        positions.send(halt.partition, Stopped(halt, fence))
        client.pause(halt.partition)
        report.halted(halt)


def ids_of(topics: Iterable[TopicSeen]) -> Mapping[str, UUID]:
    """Return the ids of topics by name, as far as the broker says them."""
    return {topic.name: topic.topic_id for topic in topics if topic.topic_id is not None}


def halt_if_other_topic(fence: Fence, topic_id: UUID | None) -> None:
    """Raise Halt where the topic is another one than the fence was stored for.

    Nothing is known where the broker gives no ids.
    """
    if topic_id is None or fence.topic_id in {None, topic_id}:
        return
    detail = (
        f"the topic was deleted and recreated: its id is {topic_id}, and what was applied"
        f" came from {fence.topic_id}"
    )
    raise Halt(fence.partition, HaltReason.OTHER_LOG, detail)


def start_at(fence: Fence, bounds: LogBounds, topic: TopicSeen | None = None) -> Found:
    """Decide where to read on, from the fence and the bounds of the log, or raise Halt.

    At the last applied record, so that it can be compared, where there is one
    and the log still has it; else at the next one to apply.
    """
    partition = fence.partition
    if fence.next_offset > bounds.end:
        detail = (
            f"{fence.next_offset} is to be applied next, but the log ends at {bounds.end}:"
            " was the topic recreated, or records lost?"
        )
        raise Halt(partition, HaltReason.BEYOND_END, detail)
    if fence.next_offset < bounds.start:
        detail = (
            f"{fence.next_offset} is to be applied next, but the log begins at {bounds.start}:"
            f" {bounds.start - fence.next_offset} offsets were deleted before they were applied"
        )
        raise Halt(partition, HaltReason.BEFORE_START, detail)
    seen = topic.partitions.get(partition.number) if topic is not None else None
    topic_id = topic.topic_id if topic is not None else None
    epoch = seen.epoch if seen is not None else None
    last = fence.last
    if last is None or last.offset < bounds.start:
        return Found(fence, fence.next_offset, None, topic_id, epoch)
    return Found(fence, last.offset, last, topic_id, epoch)
