"""State of a record on its way to the broker: one value and a table of transitions."""

from collections.abc import Mapping
from enum import StrEnum


class RecordState(StrEnum):
    """State of a record, from its submission to its result."""

    WAITING = "waiting"
    """No producer holds it."""
    HELD = "held"
    """A producer holds it, in a batch with others."""
    SUSPECT = "suspect"
    """Its batch was refused; no producer holds it, and it will be sent alone."""
    ALONE = "alone"
    """A producer holds it, in a batch without others."""
    ABANDONED = "abandoned"
    """Its caller gave up, but a producer holds it: it may still be written."""
    KEPT = "kept"
    """Acknowledged by all in-sync replicas."""
    REFUSED = "refused"
    """Not known to be written, and it will not be sent again."""
    DROPPED = "dropped"
    """Its caller gave up, and no producer holds it."""


class RecordChange(StrEnum):
    """What happens to a record."""

    HANDED_OVER = "handed_over"
    ACKNOWLEDGED = "acknowledged"
    PRODUCER_FAILED = "producer_failed"
    """It may have been written: only sending it again leads to a result."""
    BATCH_REFUSED = "batch_refused"
    """The broker wrote no record of its batch; any of them may be the cause."""
    REFUSED = "refused"
    """Sending it again would not help, or no producer can send it."""
    GIVEN_UP = "given_up"
    """Its caller no longer waits."""


WITH_PRODUCER = frozenset({RecordState.HELD, RecordState.ALONE, RecordState.ABANDONED})
"""States in which a producer holds the record."""

TO_SEND = frozenset({RecordState.WAITING, RecordState.SUSPECT})
"""States in which the record must still be sent."""

FINAL = frozenset({RecordState.KEPT, RecordState.REFUSED, RecordState.DROPPED})
"""States that never change."""

AFTER: Mapping[RecordState, Mapping[RecordChange, RecordState]] = {
    RecordState.WAITING: {
        RecordChange.HANDED_OVER: RecordState.HELD,
        # The partitions of its topic are unknown: the request for them failed.
        RecordChange.PRODUCER_FAILED: RecordState.WAITING,
        RecordChange.BATCH_REFUSED: RecordState.SUSPECT,
        RecordChange.REFUSED: RecordState.REFUSED,
        RecordChange.GIVEN_UP: RecordState.DROPPED,
    },
    RecordState.HELD: {
        RecordChange.ACKNOWLEDGED: RecordState.KEPT,
        RecordChange.PRODUCER_FAILED: RecordState.WAITING,
        RecordChange.BATCH_REFUSED: RecordState.SUSPECT,
        RecordChange.REFUSED: RecordState.REFUSED,
        RecordChange.GIVEN_UP: RecordState.ABANDONED,
    },
    RecordState.SUSPECT: {
        RecordChange.HANDED_OVER: RecordState.ALONE,
        RecordChange.PRODUCER_FAILED: RecordState.SUSPECT,
        RecordChange.BATCH_REFUSED: RecordState.SUSPECT,
        RecordChange.REFUSED: RecordState.REFUSED,
        RecordChange.GIVEN_UP: RecordState.DROPPED,
    },
    RecordState.ALONE: {
        RecordChange.ACKNOWLEDGED: RecordState.KEPT,
        RecordChange.PRODUCER_FAILED: RecordState.SUSPECT,
        RecordChange.BATCH_REFUSED: RecordState.REFUSED,
        RecordChange.REFUSED: RecordState.REFUSED,
        RecordChange.GIVEN_UP: RecordState.ABANDONED,
    },
    RecordState.ABANDONED: {
        RecordChange.ACKNOWLEDGED: RecordState.DROPPED,
        RecordChange.PRODUCER_FAILED: RecordState.DROPPED,
        RecordChange.BATCH_REFUSED: RecordState.DROPPED,
        RecordChange.REFUSED: RecordState.DROPPED,
    },
}
"""What follows; a pair that is missing cannot happen."""
