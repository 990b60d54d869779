"""What to do about a partition that does not move, as a command to type."""

from datetime import UTC, datetime
from typing import Final

from consumers.runtime.apply.brake import Brake
from consumers.runtime.progress.standing import ProgressState, Standing
from router.terminal.typed import typed

_RESET: Final = {ProgressState.NO_LOG, ProgressState.BEYOND_END, ProgressState.BEFORE_START}


def mending_command(standing: Standing, consumer: str) -> str:
    """Return the command that repairs the state of a consumer on a partition, or explains it."""
    topic, number = standing.partition
    match standing.state:
        case ProgressState.BRAKED:
            return typed("payrouter brake clear", [consumer], {"--topic": topic})
        case ProgressState.NO_MEMBER:
            return typed("payrouter consume", [consumer])
        case ProgressState.STUCK | ProgressState.BEHIND:
            return typed("payrouter parked list", [consumer], {"--topic": topic})
        case state if state in _RESET:
            options = {"--topic": topic, "--partition": str(number), "--to": "earliest"}
            return typed("payrouter offsets reset", [consumer], options)
    return typed("payrouter offsets show", [consumer])


def unmoved_since(standing: Standing, brake: Brake | None) -> datetime | None:
    """Return since when a partition in trouble does not move, None if it is unknown.

    That is when its brake began to hold; else the later of its last progress and the arrival of
    the record that waits.
    """
    if standing.state is ProgressState.BRAKED and brake is not None:
        return brake.held_since
    waits = standing.behind.since
    known = [] if standing.fence is None else [standing.fence.updated_at]
    if waits is not None and 0 < waits < _END_OF_TIME:
        known.append(datetime.fromtimestamp(waits, UTC))
    return max(known, default=None)


_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC).timestamp()
