"""The shape of a chart of deliveries over time, in whole units of its view box."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumers.console.figures.figures import OUTCOMES, FigureSlot

SLOT_WIDTH: Final = 10
BAR_WIDTH: Final = 8
HEIGHT: Final = 60


@dataclass(frozen=True)
class ChartPiece:
    """A rectangle; `outcome` is also its class."""

    outcome: str
    y: int
    height: int


@dataclass(frozen=True)
class ChartColumn:
    """One slot of time: its pieces from the bottom up; `counts` is None if it was not measured."""

    x: int
    begins: datetime
    counts: Mapping[str, int] | None
    pieces: Sequence[ChartPiece]

    @property
    def said(self) -> Sequence[tuple[str, int]]:
        """The outcomes that occurred, with their counts."""
        counts = self.counts or {}
        return [(each, counts[each]) for each in OUTCOMES if counts.get(each)]


@dataclass(frozen=True)
class DeliveryChart:
    """A chart of stacked bars. `most` is the largest number of deliveries in a slot."""

    columns: Sequence[ChartColumn]
    most: int

    @property
    def width(self) -> int:
        """Width of the view box."""
        return SLOT_WIDTH * len(self.columns)

    @property
    def height(self) -> int:
        """Height of the view box."""
        return HEIGHT

    @property
    def bar_width(self) -> int:
        """Width of a bar."""
        return BAR_WIDTH


def delivery_chart(slots: Sequence[FigureSlot]) -> DeliveryChart:
    """Return the chart of these slots; a bar that is not empty is at least one unit high."""
    most = max((_sum(slot) for slot in slots), default=0)
    columns = [
        ChartColumn(
            number * SLOT_WIDTH, slot.begins, slot.counts, tuple(_pieces(slot.counts or {}, most))
        )
        for number, slot in enumerate(slots)
    ]
    return DeliveryChart(columns, most)


def _sum(slot: FigureSlot) -> int:
    return sum((slot.counts or {}).values())


def _pieces(counts: Mapping[str, int], most: int) -> Iterator[ChartPiece]:
    # Each of the outcomes may be rounded up to one unit.
    room = HEIGHT - len(OUTCOMES)
    top = HEIGHT
    for outcome in OUTCOMES:
        count = counts.get(outcome, 0)
        if count:
            height = max(1, count * room // most)
            top -= height
            yield ChartPiece(outcome, top, height)
