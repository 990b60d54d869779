"""Deadlines of many deliveries with one timer of the event loop."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

_FEW = 64
"""Number of cancelled deadlines that may always remain in the queue."""


class Deadline:
    """A moment at which a function is called, unless it is cancelled before."""

    __slots__ = ("_cancelled", "expire")

    def __init__(self, expire: Callable[[], None], cancelled: Callable[[], None]) -> None:
        """Store both functions."""
        self.expire: Callable[[], None] | None = expire
        self._cancelled = cancelled

    def cancel(self) -> None:
        """Prevent the call; a second one changes nothing."""
        if self.expire is not None:
            self.expire = None
            self._cancelled()


class DeadlineQueue:
    """Calls a function for each deadline that passes, earliest first.

    Moments are in seconds of the event loop's clock. Cancelled deadlines are removed once they
    outnumber the others, so that memory is bounded by what is pending.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of deadlines in memory, including cancelled ones."""
        return len(self._heap)

    def add(self, moment: float, expire: Callable[[], None]) -> Deadline:
        """Call `expire` at a moment, at the next turn of the loop if it has passed."""
        deadline = Deadline(expire, self._count_cancelled)
        heapq.heappush(self._heap, (moment, next(self._numbers), deadline))
        if self._timer is None or moment < self._timer.when():
            self._arm()
        return deadline

    def close(self) -> None:
        """Forget all deadlines, without calling anything."""
        self._heap.clear()
        self._cancelled = 0
        self._disarm()

    def _arm(self) -> None:
        self._disarm()
        if self._heap:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._heap[0][0], self._pass)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass(self) -> None:
        """Call what is due, then wait for the next deadline."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].expire is None):
            deadline = heapq.heappop(self._heap)[2]
            if deadline.expire is None:
                self._cancelled -= 1
            else:
                # One call may cancel a later one, and an error of one stops no other.
                loop.call_soon(_expire, deadline)
        self._arm()

    def _count_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > max(_FEW, len(self._heap) / 2):
            self._heap = [each for each in self._heap if each[2].expire is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0


def _expire(deadline: Deadline) -> None:
    expire, deadline.expire = deadline.expire, None
    if expire is not None:
        expire()
