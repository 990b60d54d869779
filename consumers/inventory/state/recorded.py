"""What a batch records besides the rows it changes. Pure."""

from dataclasses import dataclass
from uuid import UUID

from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note
from consumers.inventory.state.payments import Payment
from consumers.inventory.state.shelf import Move


@dataclass(frozen=True)
class ChangeCause:
    """What changes an order: the id and type of a message, or an id in its place."""

    id: UUID
    word: str
    is_message: bool = True


@dataclass(frozen=True)
class RecordedNote:
    """A note with the cause, order and payment it is about."""

    cause: ChangeCause
    order: OrderState | None
    payment: Payment | None
    note: Note


@dataclass(frozen=True)
class StockMovement:
    """A change of stock with its cause and order."""

    cause: ChangeCause
    order_id: UUID
    move: Move
