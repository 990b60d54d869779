"""What a batch records besides the rows it changes. Pure."""

from uuid import UUID

from msgspec import Struct

from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note
from consumers.inventory.state.payments import Payment
from consumers.inventory.state.shelf import Move


class ChangeCause(Struct, frozen=True):
    """What changes an order: the id and type of a message, or an id in its place."""

    id: UUID
    word: str
    is_message: bool = True


class RecordedNote(Struct, frozen=True):
    """A note with the cause, order and payment it is about."""

    cause: ChangeCause
    order: OrderState | None
    payment: Payment | None
    note: Note


class StockMovement(Struct, frozen=True):
    """A change of stock with its cause, and its order if one caused it."""

    cause: ChangeCause
    order_id: UUID | None
    move: Move
    on_hand: int = 0
