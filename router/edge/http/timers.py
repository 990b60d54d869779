"""The two time limits of a connection."""

import asyncio
from collections.abc import Callable


class TimeLimit:
    """Calls a function after so many seconds, unless it is stopped or set again before."""

    __slots__ = ("_expire", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[], None]) -> None:
        """Start without a limit."""
        self._loop = loop
        self._expire = expire
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Call it after so many seconds from now."""
        self.stop()
        self._timer = self._loop.call_later(seconds, self._expire)

    def stop(self) -> None:
        """Call it no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
