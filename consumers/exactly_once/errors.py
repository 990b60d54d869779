"""Why a partition is blocked, or a subscriber is refused."""

from consumers.exactly_once.kinds import Unusable
from consumers.runtime.records import Partition


class UnsafeSubscriberError(TypeError):
    """The subscriber as declared could lose or repeat effects; the service does not start."""


class UnsafeEngineError(Exception):
    """The engine commits each statement by itself, so an effect and its fence could differ."""


class FenceMovedElsewhere(Exception):  # noqa: N818 - reads as what happened
    """Another process moved the fence, or an operator did: continue at the stored one."""


class Blocked(Exception):  # noqa: N818 - reads as what happened
    """A partition cannot continue; nothing of it is skipped."""


class LogUnavailable(Blocked):
    """The broker does not show the log of a partition now."""


class OtherLog(Blocked):
    """The log is not the one whose records were applied, or records of it were removed."""


class RecordsMissing(Blocked):
    """Offsets without a record that no transaction explains."""

    def __init__(self, partition: Partition, missing: range, before: int) -> None:
        """Name the offsets, and the record that comes after them."""
        last = missing.stop - 1
        super().__init__(
            f"{partition}: offsets {missing.start} to {last}, before offset {before}, have no"
            " record, and no transaction explains it: compaction or retention removed them."
            " Find out what was lost (payrouter trace), then move next_offset of the fence"
        )


class StartUndecided(Blocked):
    """A group that had committed offsets has no fence, so the first record is not known."""

    def __init__(self, partition: Partition, group_id: str, committed: int, start: int) -> None:
        """Name both places to start at."""
        super().__init__(
            f"{partition}: group {group_id} has no fence for this topic, but Kafka has its offset"
            f" {committed}, and the log begins at {start}. Decide with the subscriber's `begin`:"
            ' "committed" if the effects of earlier records exist, "earliest" if they do not'
        )


class UnusableRecord(Blocked):
    """A record that cannot be given to the handler, and that the service does not keep."""

    def __init__(self, unusable: Unusable) -> None:
        """Name the record, without its content."""
        record = unusable.record
        super().__init__(
            f"{record.partition} offset {record.offset} cannot be applied: {unusable.problem}."
            " It is not skipped: pass `keep_unusable` to the subscriber to store such records and"
            " continue"
        )


class DamagedRecord(Blocked):
    """Nothing of a record can be read: damaged, or compressed by a codec that is not installed."""

    def __init__(self, partition: Partition, offset: int, problem: Exception) -> None:
        """Name the record and the problem."""
        super().__init__(
            f"{partition} offset {offset} cannot be read: {type(problem).__name__}: {problem}."
            " Compare it with a replica, or install the codec; to give it up, move next_offset of"
            " the fence past it"
        )


class ReaderTooOld(Blocked):
    """A record of a later version of payrouter: upgrade this service's payrouter first."""


class HandlerSwallowed(Blocked):
    """The handler did not finish, although no exception arrived: a middleware dropped it."""
