"""Stores the rows that a batch changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment
from consumers.inventory.state.shelf import Stock
from consumers.inventory.store import rows
from consumers.runtime.service import Driver


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


_Row = TypeVar("_Row", bound=_Identified)


@dataclass(frozen=True)
class ReadRows:
    """The rows before the batch."""

    clues: Mapping[UUID, UUID | None]
    payments: Sequence[Payment]
    orders: Sequence[OrderState]
    stock: Sequence[Stock]


async def store(driver: Driver, state: BatchState, read: ReadRows) -> None:
    """Store the changed rows; orders come before the rows that refer to them."""
    await rows.write_stock(driver, _changed(state.stock, read.stock))
    await rows.write_orders(driver, _changed(state.orders, read.orders))
    await rows.write_lines(driver, read.orders, state.orders)
    await rows.write_payments(driver, _changed(state.payments, read.payments))
    leading = {
        number: leads for number, leads in state.clues.items() if leads != read.clues[number]
    }
    await rows.write_clues(driver, leading)


def _changed(now: Mapping[UUID, _Row], read: Iterable[_Row]) -> list[_Row]:
    known = {each.id: each for each in read}
    return [each for each in now.values() if each != known.get(each.id)]
