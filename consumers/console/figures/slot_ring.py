"""Counts of the newest slots, in bounded memory."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping

from consumers.console.figures.counted import CounterSeries
from consumers.console.figures.spans import FigureSpan


class SlotRing:
    """What was counted in each slot of a span; older slots are dropped."""

    def __init__(self, span: FigureSpan) -> None:
        """Know nothing about any slot."""
        self.span = span
        self._slots: OrderedDict[int, Counter[CounterSeries]] = OrderedDict()

    def add(self, at: float, grown: Mapping[CounterSeries, int]) -> None:
        """Add what was counted until `at` (unix time); the slot is measured even if it is empty."""
        slot = int(at // self.span.slot_seconds)
        self._slots.setdefault(slot, Counter()).update(grown)
        while len(self._slots) > self.span.slots:
            self._slots.popitem(last=False)

    def slots(self, now: float) -> Iterator[tuple[int, Mapping[CounterSeries, int] | None]]:
        """Yield each slot of the span that ends now, oldest first; None if it was not measured."""
        first = self.span.first_slot(now)
        for slot in range(first, first + self.span.slots):
            yield slot, self._slots.get(slot)
