"""Leases of messages in the database, so that several instances send each message once.

Every statement is short; nothing is sent while a transaction is open.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.facts import Facts
from consumers.notifications.tables import (
    CHANGE,
    CHANNEL,
    CUSTOMER,
    DEPARTURE,
    FAILED,
    LEASED,
    MESSAGE,
    PENDING,
    SENT,
    SENT_BEFORE,
    SKIPPED,
)

MINUTE = timedelta(minutes=1)
AT_ONCE = 1000
"""Maximum number of rows changed by one clean-up statement."""


@dataclass(frozen=True)
class Leased:
    """A message that only this process may send until the lease ends."""

    id: UUID
    event_id: UUID
    recipient: str
    kind: str
    address: str | None
    language: str | None
    attempts: int
    forgiven: int
    edition: int
    account: str
    reference: str | None
    provider: str | None
    provider_reference: str | None
    facts: Facts

    @property
    def tries(self) -> int:
        """The number of attempts since the message was created or resent, including this one."""
        return self.attempts - self.forgiven


class SentAttempt(NamedTuple):
    """The attempt at which a message was sent, and when."""

    message_id: UUID
    attempts: int
    at: datetime


@dataclass(frozen=True)
class LeaseRequest:
    """A request for messages of a channel: how many, and for how many seconds."""

    channel: str
    owner: str
    number: int
    seconds: float
    per_minute: int | None = None


async def lease(transaction: AsyncConnection, request: LeaseRequest) -> Sequence[Leased]:
    """Lease due messages, the longest due first, within the channel's rate limit.

    Includes messages whose lease has expired: the process that leased them has
    stopped or is too late.
    """
    number = request.number
    if request.per_minute is not None:
        number = min(number, await _room(transaction, request.channel, request.per_minute))
    if number < 1:
        return []
    chosen = (
        select(MESSAGE.c.id)
        .where(MESSAGE.c.channel == request.channel, _is_due())
        .order_by(MESSAGE.c.due_at)
        .limit(number)
        .with_for_update(skip_locked=True)
    )
    await settle_sent(transaction)
    ids = list(await transaction.scalars(chosen))
    if not ids:
        return []
    until = func.now() + timedelta(seconds=request.seconds)
    await transaction.execute(
        update(MESSAGE)
        .where(MESSAGE.c.id == func.any(ids))
        .values(
            state=LEASED,
            leased_by=request.owner,
            lease_until=until,
            attempts=MESSAGE.c.attempts + 1,
        )
    )
    if request.per_minute is not None:
        await transaction.execute(insert(DEPARTURE), [{"channel": request.channel}] * len(ids))
    return await _read(transaction, ids)


def _is_due() -> ColumnElement[bool]:
    now = func.now()
    pending = and_(
        MESSAGE.c.state == PENDING, MESSAGE.c.wait_until.is_(None), MESSAGE.c.due_at <= now
    )
    return or_(pending, and_(MESSAGE.c.state == LEASED, MESSAGE.c.lease_until < now))


async def _room(transaction: AsyncConnection, channel: str, per_minute: int) -> int:
    """Return how many messages may be sent now; locks the channel against other instances."""
    await transaction.execute(upsert(CHANNEL).values(name=channel).on_conflict_do_nothing())
    await transaction.execute(select(CHANNEL).where(CHANNEL.c.name == channel).with_for_update())
    # Not now(): that is the start of the transaction, before the wait for the lock.
    past = func.clock_timestamp() - MINUTE
    await transaction.execute(
        delete(DEPARTURE).where(DEPARTURE.c.channel == channel, DEPARTURE.c.at < past)
    )
    left = await transaction.scalar(
        select(func.count()).select_from(DEPARTURE).where(DEPARTURE.c.channel == channel)
    )
    return per_minute - (left or 0)


async def _read(transaction: AsyncConnection, ids: Sequence[UUID]) -> Sequence[Leased]:
    message = ("id", "event_id", "recipient", "kind", "address", "language")
    counts = ("attempts", "forgiven", "edition")
    change = ("account", "reference", "provider", "provider_reference")
    columns: list[ColumnElement[Any]] = [MESSAGE.c[name] for name in (*message, *counts)]
    columns += [CHANGE.c[name] for name in (*change, "facts")]
    rows = await transaction.execute(
        select(*columns)
        .join_from(MESSAGE, CHANGE)
        .where(MESSAGE.c.id == func.any(list(ids)))
        .order_by(MESSAGE.c.due_at)
    )
    return [Leased(**{**row._mapping, "facts": json.loads(row.facts)}) for row in rows]  # noqa: SLF001 - its public mapping


async def mark(
    transaction: AsyncConnection, leased: Leased, values: Mapping[str, Any]
) -> datetime | None:
    """Store the result of a message; return the time, or None if the lease was lost.

    The number of attempts distinguishes one lease from the next.
    """
    moment: datetime | None = await transaction.scalar(
        update(MESSAGE)
        .where(
            MESSAGE.c.id == leased.id,
            MESSAGE.c.state == LEASED,
            MESSAGE.c.attempts == leased.attempts,
        )
        .values(**values, lease_until=None, leased_by=None)
        .returning(func.now())
    )
    return moment


def as_sent() -> Mapping[str, Any]:
    """Return the column values of a message that was sent."""
    return {"state": SENT, "sent_at": func.now(), "last_error": None}


def as_sent_at(sending: SentAttempt) -> Mapping[str, Any]:
    """Return the column values of a message that was sent without this database's knowledge."""
    return {
        **as_sent(),
        "attempts": sending.attempts,
        "sent_at": sending.at,
        "wait_until": None,
        "lease_until": None,
        "leased_by": None,
    }


def as_failed(why: str) -> Mapping[str, Any]:
    """Return the column values of a message that is not retried automatically."""
    return {"state": FAILED, "failed_at": func.now(), "last_error": why}


def as_due_in(seconds: float, why: str) -> Mapping[str, Any]:
    """Return the column values of a message that is retried after `seconds`."""
    due = func.now() + timedelta(seconds=seconds)
    return {"state": PENDING, "due_at": due, "last_error": why}


async def settle_sent(transaction: AsyncConnection) -> None:
    """Mark the messages that were sent before and exist by now.

    Another process that does so is waited for, so that none of them is leased before.
    """
    exists = (
        select(SENT_BEFORE.c.message_id)
        .join(MESSAGE, MESSAGE.c.id == SENT_BEFORE.c.message_id)
        .order_by(SENT_BEFORE.c.message_id)
        .with_for_update(of=SENT_BEFORE)
    )
    rows = await transaction.execute(
        delete(SENT_BEFORE).where(SENT_BEFORE.c.message_id.in_(exists)).returning(*SENT_BEFORE.c)
    )
    for row in sorted(rows):
        sending = SentAttempt(*row)
        known = MESSAGE.c.id == sending.message_id
        await transaction.execute(update(MESSAGE).where(known).values(as_sent_at(sending)))


async def skip_overdue(transaction: AsyncConnection) -> int:
    """Skip a chunk of messages whose address did not arrive in time; return how many."""
    late = (
        select(MESSAGE.c.id)
        .where(MESSAGE.c.wait_until < func.now())
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    why = literal("no order with an address came in time")
    changed = await transaction.execute(
        update(MESSAGE)
        .where(MESSAGE.c.id.in_(late.scalar_subquery()))
        .values(state=SKIPPED, wait_until=None, last_error=why)
    )
    return changed.rowcount


async def delete_old_addresses(transaction: AsyncConnection, days: float) -> int:
    """Remove a chunk of addresses older than `days`; return the number of changed rows."""
    old = func.now() - timedelta(days=days)
    done = MESSAGE.c.state.in_((SENT, FAILED, SKIPPED))
    messages = (
        select(MESSAGE.c.id)
        .where(MESSAGE.c.address.is_not(None), MESSAGE.c.created_at < old, done)
        .limit(AT_ONCE)
    )
    first = await transaction.execute(
        update(MESSAGE).where(MESSAGE.c.id.in_(messages.scalar_subquery())).values(address=None)
    )
    customers = select(CUSTOMER.c.account, CUSTOMER.c.reference).where(CUSTOMER.c.updated_at < old)
    key = tuple_(CUSTOMER.c.account, CUSTOMER.c.reference)
    second = await transaction.execute(
        delete(CUSTOMER).where(key.in_(customers.limit(AT_ONCE).with_for_update(skip_locked=True)))
    )
    return first.rowcount + second.rowcount
