"""Virtual time: an event loop whose clock moves to the next timer at once, so nothing sleeps."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")


MOST_TURNS = 100_000
"""Turns of the event loop after which a schedule is given up."""


class _Selector:
    """Waits for nothing: moves the clock to the time of the next timer."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        """Move the clock; an endless wait without a timer is a deadlock of the simulation."""
        if timeout is None:
            message = "the simulation waits for something that nothing will do"
            raise RuntimeError(message)
        self._loop.now += max(timeout, 0)
        self._loop.turns += 1
        if self._loop.turns > MOST_TURNS:
            message = "the simulation does not end"
            raise RuntimeError(message)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Event loop on virtual time, without input or output."""

    def __init__(self, began: float = 1000.0) -> None:
        """Begin at a moment of the monotonic clock, in seconds."""
        super().__init__()
        self.now = began
        self.turns = 0
        self._selector = _Selector(self)
        # A timer that is due must not be missed for the width of a float.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now

    def _process_events(self, event_list: object) -> None:
        """Do nothing: there are no events of sockets."""

    def _write_to_self(self) -> None:
        """Do nothing: no other thread wakes the loop."""


def run_virtually(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end on virtual time."""
    loop = VirtualLoop()
    try:
        with virtual_clock(loop):
            return loop.run_until_complete(main)
    finally:
        _cancel_rest(loop)
        loop.close()


def _cancel_rest(loop: VirtualLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


@contextlib.contextmanager
def virtual_clock(loop: VirtualLoop) -> Iterator[None]:
    """Let `time.monotonic` and `time.perf_counter` return the loop's time, during a block."""
    before = time.monotonic, time.perf_counter
    time.monotonic = time.perf_counter = loop.time
    try:
        yield
    finally:
        time.monotonic, time.perf_counter = before
