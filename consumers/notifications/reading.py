"""Reads messages for the commands, and marks messages to be sent again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    and_,
    case,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.rules import CUSTOMER, LOG
from consumers.notifications.tables import CHANGE, FAILED, MESSAGE, PENDING, SENT, SKIPPED
from consumers.notifications.tables import CUSTOMER as CUSTOMER_OF_ORDER
from consumers.runtime.store.arrays import any_of

RESENDABLE = (SENT, FAILED, SKIPPED)


@dataclass(frozen=True)
class MessageRow:
    """A message as the commands show it; `order` is the merchant's reference, or the gateway's."""

    id: UUID
    event_id: UUID
    state: str
    channel: str
    recipient: str
    kind: str
    address: str | None
    language: str | None
    attempts: int
    edition: int
    due_at: datetime
    wait_until: datetime | None
    created_at: datetime
    sent_at: datetime | None
    failed_at: datetime | None
    last_error: str | None
    account: str
    order: str | None
    facts: str

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Its place in the order of listings."""
        return self.created_at, self.id

    def as_json(self) -> dict[str, object]:
        """Return the message as a JSON object, without `facts`."""
        return {name: _plain(value) for name, value in asdict(self).items() if name != "facts"}


@dataclass(frozen=True)
class MessageFilter:
    """Criteria for messages; None matches all.

    `merchants` are those whose messages may be shown. `after` is `place` of the last message of
    the page before.
    """

    between: tuple[UUID, UUID] | None = None
    """The lowest and the highest id."""
    state: str | None = None
    event_id: UUID | None = None
    order: str | None = None
    failed_since: datetime | None = None
    limit: int = 50
    channel: str | None = None
    kind: str | None = None
    account: str | None = None
    merchants: frozenset[str] | None = None
    after: tuple[datetime, UUID] | None = None
    ids: tuple[UUID, ...] | None = None
    resendable: bool = False
    """Only messages that were sent, failed or skipped."""


async def list_messages(connection: AsyncConnection, wanted: MessageFilter) -> Sequence[MessageRow]:
    """Return the newest messages, oldest first."""
    own = [field.name for field in fields(MessageRow) if field.name in MESSAGE.c]
    order = func.coalesce(CHANGE.c.reference, CHANGE.c.provider_reference).label("order")
    rows = await connection.execute(
        select(
            *(MESSAGE.c[name] for name in own),
            CHANGE.c.account,
            order,
            CHANGE.c.facts,
        )
        .join_from(MESSAGE, CHANGE)
        .where(_matches(wanted))
        .order_by(MESSAGE.c.created_at.desc(), MESSAGE.c.id.desc())
        .limit(wanted.limit)
    )
    return [MessageRow(**row._mapping) for row in rows][::-1]  # noqa: SLF001 - its public mapping


async def resend(connection: AsyncConnection, ids: Sequence[UUID]) -> Sequence[UUID]:
    """Make sent, failed and skipped messages due again; return the ids of those changed.

    A message that was sent gets a new key, because its receiver would treat it
    as a duplicate. A message that failed keeps its key, because it may have
    arrived. Messages to a customer without a known address are left unchanged.
    """
    again = case((MESSAGE.c.state == SENT, 1), else_=0)
    address = func.coalesce(MESSAGE.c.address, _order_address())
    reached = or_(MESSAGE.c.recipient != CUSTOMER, MESSAGE.c.channel == LOG, address.is_not(None))
    changed = await connection.execute(
        update(MESSAGE)
        .where(
            any_of(MESSAGE.c.id, ids),
            MESSAGE.c.state.in_(RESENDABLE),
            reached,
        )
        .values(
            state=PENDING,
            address=case((MESSAGE.c.recipient == CUSTOMER, address), else_=MESSAGE.c.address),
            due_at=func.now(),
            forgiven=MESSAGE.c.attempts,
            edition=MESSAGE.c.edition + again,
            sent_at=None,
            failed_at=None,
            last_error=None,
        )
        .returning(MESSAGE.c.id)
    )
    return list(changed.scalars())


def _order_address() -> ScalarSelect[str]:
    """Return the customer's address from the message's order, except for the log channel."""
    return (
        select(CUSTOMER_OF_ORDER.c.email)
        .join(
            CHANGE,
            and_(
                CHANGE.c.account == CUSTOMER_OF_ORDER.c.account,
                CHANGE.c.reference == CUSTOMER_OF_ORDER.c.reference,
            ),
        )
        .where(CHANGE.c.event_id == MESSAGE.c.event_id, MESSAGE.c.channel != LOG)
        .correlate(MESSAGE)
        .scalar_subquery()
    )


def uuid_of(text: str) -> UUID | None:
    """Parse a UUID; return None if the text is not one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _matches(wanted: MessageFilter) -> ColumnElement[bool]:
    """Return the condition on a message and its change."""
    equal = (
        (MESSAGE.c.state, wanted.state),
        (MESSAGE.c.event_id, wanted.event_id),
        (MESSAGE.c.channel, wanted.channel),
        (MESSAGE.c.kind, wanted.kind),
        (CHANGE.c.account, wanted.account),
    )
    given = [column == value for column, value in equal if value is not None]
    return and_(true(), *given, _named(wanted), _placed(wanted))


def _named(wanted: MessageFilter) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = true()
    if wanted.order is not None:
        named = (CHANGE.c.reference, CHANGE.c.provider_reference)
        condition &= or_(*(column == wanted.order for column in named))
    if wanted.merchants is not None:
        condition &= CHANGE.c.account.in_(sorted(wanted.merchants))
    return condition


def _placed(wanted: MessageFilter) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = true()
    if wanted.between is not None:
        condition &= MESSAGE.c.id.between(*wanted.between)
    if wanted.ids is not None:
        condition &= any_of(MESSAGE.c.id, wanted.ids)
    if wanted.resendable:
        condition &= MESSAGE.c.state.in_(RESENDABLE)
    if wanted.failed_since is not None:
        condition &= and_(MESSAGE.c.state == FAILED, MESSAGE.c.failed_at >= wanted.failed_since)
    if wanted.after is not None:
        condition &= tuple_(MESSAGE.c.created_at, MESSAGE.c.id) < wanted.after
    return condition


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
