"""What holds for the whole member of the group, not for one partition, as one value."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from consumers.runtime.apply.brake import Brake

PAUSE_SECONDS = 3.0
"""A loop that did not look at its logs for so long cannot know that they are the same."""


@dataclass(frozen=True)
class Membership:
    """Between the group and the loop. Moments are monotonic, in seconds.

    `batch_ended` is set when the running batch ends; None where none runs.
    `retrying` is the error because of which a batch is tried again, `brakes`
    are those that hold, by topic. `ticked` is the last turn; `looked` is when
    records or positions last came from the broker; `pauses` are those in a row.
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
        """Whether a batch that waits for its next try is to be given up."""
        return self.revoking or self.stopping

    def assigned(self) -> Self:
        """Note that partitions came."""
        return replace(self, joined=True, revoking=False)

    def revoked(self) -> Self:
        """Note that partitions went."""
        return replace(self, joined=False)

    def ticking(self) -> Self:
        """Note that a turn began, or a wait goes on."""
        return replace(self, ticked=time.monotonic())

    def answered(self) -> Self:
        """Note that the broker has answered about the logs, just now."""
        return replace(self, answered_at=time.monotonic())

    def fetched(self) -> Self:
        """Note that records came in time: the logs are those that were placed."""
        return replace(self.answered(), pauses=0)

    def paused(self) -> Self:
        """Note that a pause had everything placed again; the next fetch may take twice as long."""
        return replace(self, pauses=self.pauses + 1)

    def was_paused(self) -> bool:
        """Tell whether the loop stood still for so long that a log may be another one.

        A fetch that is always slow is believed in the end: the limit doubles with each pause.
        """
        return time.monotonic() - self.answered_at > PAUSE_SECONDS * 2.0**self.pauses
