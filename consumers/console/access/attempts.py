"""Counts failed sign-ins, against those who try many passwords."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

WINDOW_SECONDS: Final = 300
_MOST_KEPT: Final = 10_000


@dataclass
class Attempts:
    """Failed sign-ins by name and by source; the oldest are forgotten if there are too many."""

    most: int
    failed: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def exceeded(self, name: str, source: str, now: float) -> bool:
        """Return whether a name or a source has too many failed sign-ins. Times in seconds."""
        return any(len(self._recent(key, now)) >= self.most for key in _keys(name, source))

    def fail(self, name: str, source: str, now: float) -> None:
        """Count a failed sign-in."""
        for key in _keys(name, source):
            self.failed[key] = [*self._recent(key, now), now][-self.most :]
            self.failed.move_to_end(key)
            if len(self.failed) > _MOST_KEPT:
                self.failed.popitem(last=False)

    def _recent(self, key: str, now: float) -> list[float]:
        return [at for at in self.failed.get(key, ()) if now - at < WINDOW_SECONDS]


def _keys(name: str, source: str) -> tuple[str, str]:
    # A name may be long; its source is an address.
    return f"name {name[:200]}", f"source {source}"
