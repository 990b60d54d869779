"""State of the whole group member, as one value."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from consumers.runtime.apply.brake import Brake


@dataclass(frozen=True)
class Membership:
    """State shared by the group callbacks and the loop. Times are monotonic, in seconds.

    `batch_ended` is set when the running batch ends; None if none is running.
    `retrying` is the error for which a batch is retried; `brakes` are those that
    hold, by topic. `ticked` is the time of the last turn; `answered_at` is when the
    broker last returned records or positions; `pauses` counts pauses in a row.
    """

    joined: bool = False
    revoking: bool = False
    stopping: bool = False
    batch_ended: asyncio.Event | None = None
    retrying: str | None = None
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    ticked: float = field(default_factory=time.monotonic)
    answered_at: float = field(default_factory=time.monotonic)
    pauses: int = 0

    @property
    def leaving(self) -> bool:
        """Whether to abandon a batch that is waiting for its next attempt."""
        return self.revoking or self.stopping

    def assigned(self) -> Self:
        """Return the state after an assignment."""
        return replace(self, joined=True, revoking=False)

    def revoked(self) -> Self:
        """Return the state after a revocation."""
        return replace(self, joined=False)

    def ticking(self) -> Self:
        """Return the state at the start of a turn, or during a wait."""
        return replace(self, ticked=time.monotonic())

    def answered(self) -> Self:
        """Return the state after an answer from the broker about the logs."""
        return replace(self, answered_at=time.monotonic())

    def fetched(self) -> Self:
        """Return the state after records arrived in time: the logs are still the same."""
        return replace(self.answered(), pauses=0)

    def paused(self) -> Self:
        """Return the state after a pause; the next fetch may take twice as long."""
        return replace(self, pauses=self.pauses + 1)

    def was_paused(self, limit: float) -> bool:
        """Return whether the loop paused for so long that a log may have been replaced.

        `limit` is in seconds. It doubles with each pause, so that even a broker that is
        always slow makes progress.
        """
        return time.monotonic() - self.answered_at > limit * 2.0**self.pauses
