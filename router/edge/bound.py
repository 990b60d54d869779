"""A rate limit on storing something, per name and minute."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class PerMinute:
    """A token bucket per name: holds `limit` tokens, refilled over a minute."""

    limit: int
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, name: str) -> bool:
        """Take a token; False if none is left."""
        now = self.clock()
        left, then = self._left.get(name, (float(self.limit), now))
        left = min(float(self.limit), left + (now - then) * self.limit / 60)
        allowed = left >= 1
        self._left[name] = (left - 1 if allowed else left, now)
        return allowed
