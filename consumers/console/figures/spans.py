"""Spans of time that figures are shown for, each divided into equal slots."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class FigureSpan:
    """The time before now that figures cover, in slots of equal length."""

    name: str
    slot_seconds: int
    slots: int

    @property
    def seconds(self) -> int:
        """Length of the whole span."""
        return self.slot_seconds * self.slots

    def first_slot(self, now: float) -> int:
        """Return the number of the oldest slot of the span that ends now.

        Slots are numbered from the epoch: slot n begins at n times `slot_seconds`.
        """
        return int(now // self.slot_seconds) - self.slots + 1


HOUR: Final = FigureSpan("1h", 120, 30)
DAY: Final = FigureSpan("24h", 1800, 48)
SPANS: Final = {each.name: each for each in (HOUR, DAY)}
