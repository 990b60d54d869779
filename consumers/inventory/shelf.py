"""Stock, and what orders take of it. Pure.

`available` is what is on hand and neither reserved nor committed. What is sold
beyond that is `oversold`, on the line and on the article, and never hidden in
the other numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True)
class Stock:
    """One article of a merchant; the fields are the columns of its row."""

    id: UUID
    account: str
    sku: str
    on_hand: int = 0
    reserved: int = 0
    committed: int = 0
    oversold: int = 0

    @property
    def available(self) -> int:
        """What can still be reserved or sold."""
        return self.on_hand - self.reserved - self.committed


@dataclass(frozen=True)
class Line:
    """How much of an article an order wants, and has; the fields are the columns of its row."""

    order_id: UUID
    stock_id: UUID
    quantity: int
    reserved: int = 0
    committed: int = 0
    oversold: int = 0


@dataclass(frozen=True)
class Move:
    """What changed in the stock of one article by one order."""

    stock_id: UUID
    reserved: int
    committed: int
    oversold: int

    def __bool__(self) -> bool:
        """Return whether it is a change at all."""
        return bool(self.reserved or self.committed or self.oversold)


def reservable(stock: Mapping[UUID, Stock], lines: Iterable[Line]) -> bool:
    """Tell whether there is enough of every article: an order is reserved whole or not at all."""
    return all(stock[line.stock_id].available >= line.quantity for line in lines)


def reserve(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines with all they want reserved."""
    return tuple(replace(line, reserved=line.quantity) for line in lines)


def commit(stock: Mapping[UUID, Stock], lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines sold: what was reserved, what is there besides, and the rest oversold."""
    sold = []
    for line in lines:
        there = line.reserved + stock[line.stock_id].available
        committed = min(line.quantity, there)
        oversold = line.quantity - committed
        sold.append(replace(line, reserved=0, committed=committed, oversold=oversold))
    return tuple(sold)


def covered(line: Line, stock: Stock) -> Line:
    """Return a line after what is there of its article has gone to what it was oversold."""
    now = min(line.oversold, stock.available)
    return replace(line, committed=line.committed + now, oversold=line.oversold - now)


def release(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines without anything reserved, sold or oversold."""
    return tuple(replace(line, reserved=0, committed=0, oversold=0) for line in lines)


def moves(before: Iterable[Line], after: Iterable[Line]) -> Sequence[Move]:
    """Return what the change of an order's lines means for the stock, by article."""
    known = {line.stock_id: line for line in before}
    made = []
    for line in after:
        was = known.get(line.stock_id, Line(line.order_id, line.stock_id, line.quantity))
        made.append(
            Move(
                line.stock_id,
                line.reserved - was.reserved,
                line.committed - was.committed,
                line.oversold - was.oversold,
            )
        )
    return [move for move in made if move]


def moved(stock: Stock, move: Move) -> Stock:
    """Return the article after a move."""
    return replace(
        stock,
        reserved=stock.reserved + move.reserved,
        committed=stock.committed + move.committed,
        oversold=stock.oversold + move.oversold,
    )
