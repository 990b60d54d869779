"""A figure of several rounds: median, minimum and maximum."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True)
class Figure:
    """Median, minimum and maximum over the rounds."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return the figure of these values, one per round."""
        found = list(values)
        return cls(median(found), min(found), max(found))

    @classmethod
    def read(cls, stored: dict[str, float]) -> Self:
        """Return the figure that `dataclasses.asdict` stored."""
        return cls(**stored)

    def text(self, unit: float = 1.0) -> str:
        """Return `median (minimum to maximum)` in multiples of `unit`, three digits each."""
        values = (self.minimum, self.maximum)
        low, high = (rounded(value / unit) for value in values)
        return f"{rounded(self.median / unit)} ({low}-{high})"


def rounded(value: float) -> str:
    """Write a number with three significant digits, and from 10,000 on in thousands, as `12.3k`."""
    if value >= 10_000:
        return f"{rounded(value / 1000)}k"
    if value >= 1000:
        return f"{round(value, -1):,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
