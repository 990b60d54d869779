"""What a consumer knows of one order, event or transaction: its part of `payrouter trace`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Sought:
    """What is looked for.

    `text` is as it was typed: an order reference, a gateway's number of a
    payment, an event id or a transaction's hash. `event_ids` and `orders`
    (account, reference) are what other consumers, or an earlier round, found
    to belong to it.
    """

    text: str
    event_ids: frozenset[UUID] = frozenset()
    orders: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Step:
    """One thing a consumer did, or refused to do.

    `what` is a word or two ("posted", "reserved", "mail sent"); `order` is
    (account, reference) where it belongs to one; amounts in `facts` are text.
    "delivered" (how it came to the edge) and "recorded" (which event it was)
    are shown apart from what the consumer did.
    """

    at: datetime
    what: str
    event_id: UUID | None = None
    order: tuple[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    trouble: bool = False
    """Whether a person should look at it: an oversell, a message that could not be sent."""


Trail = Callable[[AsyncConnection, Sought], Awaitable[Sequence[Step]]]
"""Finds steps by indexed columns: it is asked at 3 a.m., on a large database."""
