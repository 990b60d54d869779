"""What a library says again and again is said once, and how often afterwards.

While a broker is away aiokafka says so twenty times a second, in some states thousands of times:
it would fill a disk, and hide what else is said.
"""

import logging
from dataclasses import dataclass, field

QUIET_SECONDS = 10.0
"""For so long the same sentence is counted and not written."""

MOST_SENTENCES = 1000
"""So many are remembered; those said longest ago are forgotten first."""


@dataclass
class _Said:
    at: float
    again: int = 0


@dataclass
class Repeats:
    """A filter for a handler of `logging`. What carries a traceback always passes."""

    quiet_seconds: float = QUIET_SECONDS
    _said: dict[tuple[str, int, str], _Said] = field(default_factory=dict)

    def __call__(self, record: logging.LogRecord) -> bool:
        """Tell whether to write it; one that is written again tells how often it was not."""
        if record.exc_info:
            return True
        sentence = record.getMessage()
        key = (record.name, record.levelno, sentence)
        said = self._said.get(key)
        if said is not None and record.created - said.at < self.quiet_seconds:
            said.again += 1
            return False
        if said is not None and said.again:
            record.msg, record.args = f"{sentence} ({said.again} times more before)", ()
        self._remember(key, record.created)
        return True

    def _remember(self, key: tuple[str, int, str], now: float) -> None:
        self._said.pop(key, None)
        self._said[key] = _Said(now)
        if len(self._said) > MOST_SENTENCES:
            del self._said[next(iter(self._said))]
