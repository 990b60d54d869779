"""Stock, and the quantities orders take from it. Pure.

`available` is the stock on hand that is neither reserved nor committed. A
quantity sold beyond that is `oversold`, on the line and on the article; it is
never part of the other numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace


class Stock(Struct, frozen=True):
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
        """The quantity that can still be reserved or sold."""
        return self.on_hand - self.reserved - self.committed


class OrderLineState(Struct, frozen=True):
    """The quantities of one article in an order; the fields are the columns of its row."""

    order_id: UUID
    stock_id: UUID
    quantity: int
    reserved: int = 0
    committed: int = 0
    oversold: int = 0


_NO_LINE: Final = OrderLineState(UUID(int=0), UUID(int=0), 0)


class Move(Struct, frozen=True):
    """A change in the stock of one article, caused by one order."""

    stock_id: UUID
    reserved: int = 0
    committed: int = 0
    oversold: int = 0

    def __bool__(self) -> bool:
        """Return whether any quantity changes."""
        return bool(self.reserved or self.committed or self.oversold)


def reservable(stock: Mapping[UUID, Stock], lines: Iterable[OrderLineState]) -> bool:
    """Return whether every article suffices: an order is reserved completely or not at all."""
    return all(stock[line.stock_id].available >= line.quantity for line in lines)


def reserve(lines: Iterable[OrderLineState]) -> tuple[OrderLineState, ...]:
    """Return the lines with their full quantity reserved."""
    return tuple(replace(line, reserved=line.quantity) for line in lines)


def commit(
    stock: Mapping[UUID, Stock], lines: Iterable[OrderLineState]
) -> tuple[OrderLineState, ...]:
    """Return the lines sold: from their own and the available stock, with the rest oversold."""
    sold = []
    for line in lines:
        usable = line.reserved + line.committed + stock[line.stock_id].available
        committed = min(line.quantity, usable)
        oversold = line.quantity - committed
        sold.append(replace(line, reserved=0, committed=committed, oversold=oversold))
    return tuple(sold)


def cover_line(line: OrderLineState, stock: Stock) -> OrderLineState:
    """Return a line after available stock has covered its oversold quantity."""
    now = min(line.oversold, stock.available)
    return replace(line, committed=line.committed + now, oversold=line.oversold - now)


def release(lines: Iterable[OrderLineState]) -> tuple[OrderLineState, ...]:
    """Return the lines without anything reserved, sold or oversold."""
    return tuple(replace(line, reserved=0, committed=0, oversold=0) for line in lines)


def drop_oversold(lines: Iterable[OrderLineState]) -> tuple[OrderLineState, ...]:
    """Return the lines without what is sold and missing."""
    return tuple(replace(line, oversold=0) for line in lines)


def is_sold_whole(lines: Iterable[OrderLineState]) -> bool:
    """Return whether every line's whole quantity is sold, missing stock included."""
    return all(line.committed + line.oversold == line.quantity for line in lines)


def moves(before: Iterable[OrderLineState], after: Iterable[OrderLineState]) -> Sequence[Move]:
    """Return the stock changes that follow from a change of an order's lines, one per article."""
    if after is before:
        return []
    known = {line.stock_id: line for line in before}
    made = []
    for line in after:
        was = known.get(line.stock_id, _NO_LINE)
        made.append(
            Move(
                line.stock_id,
                line.reserved - was.reserved,
                line.committed - was.committed,
                line.oversold - was.oversold,
            )
        )
    return [move for move in made if move]


def apply_move(stock: Stock, move: Move) -> Stock:
    """Return the article after a change of its stock."""
    return replace(
        stock,
        reserved=stock.reserved + move.reserved,
        committed=stock.committed + move.committed,
        oversold=stock.oversold + move.oversold,
    )
