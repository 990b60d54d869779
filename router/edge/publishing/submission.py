"""A delivery's records on their way to the broker, and the one result of all of them."""

import asyncio
from collections.abc import Callable, Sequence

from router.contract.wire import OutgoingRecord
from router.edge.publishing.record_state import AFTER, FINAL, RecordChange, RecordState
from router.errors import NotDurable

Done = Callable[[NotDurable | None], None]
"""Receives the result: None once every record is acknowledged, otherwise why one is not."""


Submit = Callable[[Sequence[OutgoingRecord], Done, float | None], object]
"""Gives the records of a delivery to the broker, in order; the result comes after it has returned.

The last argument is a moment of the event loop's clock at which to give up, None for never. Raises
NotDurable if the records must not be published.
"""


class QueuedRecord:
    """A record of a submission, its state, and how many producers failed to send it.

    `drop` removes it from the queue that it waits in, if it waits in one.
    """

    __slots__ = ("drop", "record", "state", "submission", "tries")

    def __init__(self, record: OutgoingRecord, submission: "Submission") -> None:
        """Start as a record that no producer holds."""
        self.record = record
        self.submission = submission
        self.state = RecordState.WAITING
        self.tries = 0
        self.drop: Callable[[QueuedRecord], object] | None = None

    def change(self, change: RecordChange) -> RecordState:
        """Take the next state and return it. Raises KeyError for an impossible change."""
        self.state = AFTER[self.state][change]
        return self.state


class Submission:
    """All records of a delivery: `done` is called once, with the result of all of them.

    `attempt` is the number of the delivery; numbers rise in the order of submission. `started`
    is its beginning in seconds of `time.perf_counter`.
    """

    __slots__ = ("_unanswered", "attempt", "cancel_deadline", "done", "entries", "started")

    def __init__(
        self, records: Sequence[OutgoingRecord], done: Done, attempt: int, started: float
    ) -> None:
        """Start with every record unanswered."""
        self.entries = [QueuedRecord(record, self) for record in records]
        self._unanswered = len(self.entries)
        self.done: Done | None = done
        """What still has to be called; None once there is a result."""
        self.attempt = attempt
        self.started = started
        self.cancel_deadline: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        """Whether it has its result."""
        return self.done is None

    def kept(self) -> None:
        """Count an acknowledged record: the last one ends the submission."""
        self._unanswered -= 1
        if not self._unanswered:
            done = self._take_done()
            if done is not None:
                call(done, None)

    def give_up(self) -> list[tuple[QueuedRecord, RecordState]]:
        """Send no further record, call nothing; return unanswered entries with their states."""
        left = [(entry, entry.state) for entry in self.entries if entry.state not in FINAL]
        for entry, _ in left:
            entry.change(RecordChange.GIVEN_UP)
            if entry.drop is not None:
                entry.drop(entry)
        self._take_done()
        return left

    def refuse(self, problem: NotDurable) -> None:
        """End it because one of its records is refused."""
        if self.done is not None:
            done = self.done
            self.give_up()
            call(done, problem)

    def _take_done(self) -> Done | None:
        done, self.done = self.done, None
        if self.cancel_deadline is not None:
            self.cancel_deadline()
        return done


def call(done: Done, problem: NotDurable | None) -> None:
    """Pass on a result; an error of `done` affects no other submission."""
    try:
        done(problem)
    except Exception as error:  # noqa: BLE001 - reported below
        # As the event loop does for its own callbacks.
        context = {"message": "the callback of a submission failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
