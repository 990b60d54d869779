"""Suppresses repeated log messages of libraries, and counts them.

While a broker is away, aiokafka logs the same messages twenty times a second, in some states
thousands of times. They would fill the disk and hide other messages.
"""

import logging
from dataclasses import dataclass, field


@dataclass
class _Written:
    at: float
    suppressed: int = 0


@dataclass
class Repeats:
    """A filter for a handler of `logging`. Records with a traceback always pass."""

    quiet_seconds: float = 10.0
    """For this long, repetitions of a message are counted instead of written."""
    max_messages: int = 1000
    """Maximum number of messages to remember; the least recently written are dropped first."""
    _written: dict[tuple[str, int, str], _Written] = field(default_factory=dict)

    def __call__(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record; add the number of suppressed repetitions to it."""
        if record.exc_info:
            return True
        message = record.getMessage()
        key = (record.name, record.levelno, message)
        last = self._written.get(key)
        if last is not None and record.created - last.at < self.quiet_seconds:
            last.suppressed += 1
            return False
        if last is not None and last.suppressed:
            record.msg, record.args = f"{message} (repeated {last.suppressed} times before)", ()
        self._remember(key, record.created)
        return True

    def _remember(self, key: tuple[str, int, str], now: float) -> None:
        self._written.pop(key, None)
        self._written[key] = _Written(now)
        if len(self._written) > self.max_messages:
            del self._written[next(iter(self._written))]
