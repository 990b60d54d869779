"""A consumer's part of `payrouter trace`: what it did with one order, event or transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class TrailQuery:
    """Search terms of a trace.

    `text` is the operator's input: an order reference, a gateway's payment
    number, an event id or a transaction hash. `event_ids` and `orders`
    (account, reference) were found to belong to it by other consumers or by an
    earlier round. Results belong to one of `accounts`, None for all of them.
    """

    text: str
    event_ids: frozenset[UUID] = frozenset()
    orders: frozenset[tuple[str, str]] = frozenset()
    accounts: frozenset[str] | None = None


@dataclass(frozen=True)
class TrailStep:
    """One thing a consumer did, or refused to do.

    `what` is a word or two ("posted", "reserved", "mail sent"); `order` is
    (account, reference) if the step belongs to an order, `account` is the merchant if
    it does not; amounts in `facts` are text. "delivered" (how it arrived at the edge)
    and "recorded" (which event it was) are shown separately from what the consumer did.
    """

    at: datetime
    what: str
    event_id: UUID | None = None
    order: tuple[str, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    trouble: bool = False
    """Whether an operator should look at it: an oversell, a message that could not be sent."""
    account: str | None = None


Trail = Callable[[AsyncConnection, TrailQuery], Awaitable[Sequence[TrailStep]]]
"""Finds steps. Must query indexed columns only: traces run during incidents, on large databases."""
