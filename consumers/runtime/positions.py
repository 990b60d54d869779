"""Where each assigned partition stands: positioning is ours, by the fence.

The assignment callback only marks partitions and returns: a seek inside it
came after the first records, its exceptions vanish, a slow one gets the
member evicted. The loop positions them, and discards records of partitions
that are not positioned yet.
"""

from dataclasses import dataclass, field

from consumers.runtime.failures import HaltReason
from consumers.runtime.offsets import Fence, LastApplied
from consumers.runtime.records import Arrived, Decode, Partition, Record, TooNew


class Halt(Exception):  # noqa: N818 - reads as what is done
    """This partition stops here until a person acts; nothing is skipped."""

    def __init__(
        self, partition: Partition, reason: HaltReason, detail: str, offset: int | None = None
    ) -> None:
        """Say where and why; at which offset, where one record is the reason."""
        super().__init__(f"{partition} halted: {detail}")
        self.offset = offset
        self.partition = partition
        self.reason = reason
        self.detail = detail


@dataclass
class Place:
    """A positioned partition: what is applied, and what to compare first."""

    fence: Fence
    compare: LastApplied | None


@dataclass(frozen=True)
class Start:
    """Where to seek, and the place that results."""

    offset: int
    place: Place


def start_at(fence: Fence, begin: int, end: int) -> Start:
    """Decide where to read on, from the fence and the bounds of the log, or raise Halt.

    At the last applied record, so that it can be compared, where there is one
    and the log still has it; else at the next one to apply.
    """
    partition = fence.partition
    if fence.next_offset > end:
        detail = (
            f"{fence.next_offset} is to be applied next, but the log ends at {end}:"
            " was the topic made anew, or records lost?"
        )
        raise Halt(partition, HaltReason.BEYOND_END, detail)
    if fence.next_offset < begin:
        detail = (
            f"{fence.next_offset} is to be applied next, but the log begins at {begin}:"
            f" {begin - fence.next_offset} offsets were deleted before they were applied"
        )
        raise Halt(partition, HaltReason.BEFORE_START, detail)
    last = fence.last
    if last is None or last.offset < begin:
        return Start(fence.next_offset, Place(fence, None))
    return Start(last.offset, Place(fence, last))


def what_to_do(halt: Halt, consumer: str) -> str:
    """Name the command that mends a halt of this consumer."""
    if halt.reason is HaltReason.TOO_NEW:
        return f"Upgrade payrouter, then start `payrouter consume {consumer}` again."
    if halt.reason is HaltReason.NO_CODEC:
        return f"Install what is missing, then start `payrouter consume {consumer}` again."
    topic, number = halt.partition
    reset = f"payrouter offsets reset {consumer} --topic {topic} --partition {number} --to"
    if halt.reason is HaltReason.NOT_HELD and halt.offset is not None:
        return (
            f"Mend the database; then `{reset} {halt.offset}` has it tried again,"
            f" `{reset} {halt.offset + 1}` gives it up."
        )
    return (
        f"`payrouter offsets show {consumer}` has the details; `{reset} earliest` has the log"
        " read from its start, what is known having no second effect; `--to latest` instead"
        " passes over all that is in it now."
    )


def same_as_applied(record: Record, last: LastApplied) -> None:
    """Raise Halt where another record stands in the place of the last applied one."""
    if record.offset != last.offset:
        return
    if (record.timestamp, record.crc) != (last.timestamp, last.crc):
        detail = (
            f"offset {record.offset} holds another record than the one applied:"
            " was the topic made anew?"
        )
        raise Halt(record.partition, HaltReason.OTHER_RECORD, detail)


def next_at(place: Place, record: Record, decode: Decode) -> Arrived | None:
    """Decode a record; None where it only proves that the log is the one we know.

    Raises Halt where it has to stop its partition.
    """
    if place.compare is not None:
        same_as_applied(record, place.compare)
        place.compare = None
    if record.offset < place.fence.next_offset:
        return None
    decoded = decode(record)
    if isinstance(decoded, TooNew):
        detail = f"offset {record.offset}: {decoded.problem}"
        raise Halt(record.partition, HaltReason.TOO_NEW, detail)
    return decoded


@dataclass
class Positions:
    """The assigned partitions of this process."""

    unpositioned: set[Partition] = field(default_factory=set)
    placed: dict[Partition, Place] = field(default_factory=dict)
    halted: dict[Partition, Halt] = field(default_factory=dict)
    left: dict[Partition, Fence] = field(default_factory=dict)
    """Where those stood that are not placed now, as far as it is known."""

    def assign(self, partitions: set[Partition]) -> None:
        """Take over a new assignment: nothing is positioned."""
        self.revoke()
        self.unpositioned = set(partitions)

    def revoke(self) -> None:
        """Forget the assignment."""
        self.unpositioned, self.placed, self.halted, self.left = set(), {}, {}, {}

    @property
    def assigned(self) -> set[Partition]:
        """Every assigned partition, halted ones included."""
        return self.unpositioned | self.placed.keys() | self.halted.keys()

    @property
    def fences(self) -> dict[Partition, Fence]:
        """Where each assigned partition stands, as far as it is known."""
        return self.left | {partition: place.fence for partition, place in self.placed.items()}

    def place(self, partition: Partition, place: Place) -> None:
        """Note that a partition has been sought to its place."""
        self.unpositioned.discard(partition)
        self.placed[partition] = place

    def unplace(self, partition: Partition) -> None:
        """Have a partition positioned anew: what was fetched of it is not to be used."""
        if self._leave(partition):
            self.unpositioned.add(partition)

    def halt(self, halt: Halt) -> None:
        """Stop a partition."""
        if halt.partition in self.assigned:
            self.unpositioned.discard(halt.partition)
            self._leave(halt.partition)
            self.halted[halt.partition] = halt

    def release(self, partition: Partition) -> None:
        """Have a halted partition positioned anew."""
        if self.halted.pop(partition, None) is not None:
            self.unpositioned.add(partition)

    def _leave(self, partition: Partition) -> bool:
        place = self.placed.pop(partition, None)
        if place is not None:
            self.left[partition] = place.fence
        return place is not None
