"""Statistics of genuine deliveries."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Traffic:
    """Status (0: no answer) and seconds since it was due, of every delivery."""

    samples: Sequence[tuple[int, float]]

    @property
    def sent(self) -> int:
        """How many were sent."""
        return len(self.samples)

    @property
    def share(self) -> float:
        """The share answered 200; 1 if nothing was sent."""
        return self.statuses[200] / self.sent if self.sent else 1.0

    @property
    def statuses(self) -> Counter[int]:
        """How many were answered with each status."""
        return Counter(status for status, _ in self.samples)

    def milliseconds(self, quantile: float) -> float:
        """Return a quantile of the latency, by nearest rank; NaN if nothing was sent."""
        ordered = sorted(seconds for _, seconds in self.samples)
        if not ordered:
            return math.nan
        return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)] * 1000
