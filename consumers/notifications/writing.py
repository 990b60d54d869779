"""The handler's statements: a handful per batch, each over all rows of it, locks in key order.

Rows travel as one array per column, so that a batch of any size is the same
prepared statement and never meets the limit on parameters.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.facts import facts_of
from consumers.notifications.subjects import Change, Subject
from consumers.notifications.tables import CHANGE, CUSTOMER, MESSAGE, SUBJECT
from consumers.runtime.fate import Fate
from consumers.runtime.store.arrays import (
    add_missing,
    any_of,
    as_table,
    inserting,
    lock_rows,
    rows_of,
    update_rows,
)
from router.contract.order import Order

OrderKey = tuple[str, str]
"""Account and reference."""


@dataclass(frozen=True)
class Whom:
    """Where somebody is written, and in which language."""

    email: str | None = None
    language: str | None = None

    def learn(self, said: "Whom") -> "Whom":
        """Take over what is said; what is not said stays."""
        return Whom(said.email or self.email, said.language or self.language)


@dataclass(frozen=True)
class Message:
    """A message as it is first written; the fields are columns of its row."""

    id: UUID
    event_id: UUID
    channel: str
    recipient: str
    kind: str
    address: str | None
    language: str | None
    state: str
    wait_until: datetime | None
    last_error: str | None


_SUBJECT = [SUBJECT.c[field.name] for field in fields(Subject)]
_IDENTITY = _SUBJECT[:6]
_MESSAGE = [MESSAGE.c[field.name] for field in fields(Message)]
_CHANGE = [each for each in CHANGE.c if each.name != "applied_at"]
_KEY = [CUSTOMER.c.account, CUSTOMER.c.reference]
_CUSTOMER = [*_KEY, CUSTOMER.c.email, CUSTOMER.c.language]


async def lock_customers(
    transaction: AsyncConnection, keys: Iterable[OrderKey]
) -> Mapping[OrderKey, Whom]:
    """Lock the rows of these orders, made where missing.

    A payment and its order come from different topics: whichever is second
    finds what the first one left.
    """
    wanted = sorted(keys)
    if not wanted:
        return {}
    await transaction.execute(inserting(CUSTOMER, _KEY, wanted).on_conflict_do_nothing())
    rows = await transaction.execute(
        select(*_CUSTOMER)
        .where(tuple_(*_KEY).in_(select(as_table(_KEY, wanted))))
        .order_by(*_KEY)
        .with_for_update()
    )
    return {(row.account, row.reference): Whom(row.email, row.language) for row in rows}


async def write_customers(transaction: AsyncConnection, learnt: Mapping[OrderKey, Whom]) -> None:
    """Store what is known of customers now; their rows are locked."""
    if not learnt:
        return
    source = as_table(_CUSTOMER, [(*key, w.email, w.language) for key, w in learnt.items()])
    await transaction.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.account == source.c.account, CUSTOMER.c.reference == source.c.reference)
        .values(email=source.c.email, language=source.c.language, updated_at=func.now())
    )


async def wake(transaction: AsyncConnection, learnt: Mapping[OrderKey, Whom]) -> None:
    """Give messages that wait for an address the one of their order."""
    if not learnt:
        return
    source = as_table(_CUSTOMER, [(*key, w.email, w.language) for key, w in learnt.items()])
    await transaction.execute(
        update(MESSAGE)
        .where(
            MESSAGE.c.wait_until.is_not(None),
            MESSAGE.c.event_id == CHANGE.c.event_id,
            CHANGE.c.account == source.c.account,
            CHANGE.c.reference == source.c.reference,
        )
        .values(
            address=source.c.email,
            language=source.c.language,
            wait_until=None,
            due_at=func.now(),
        )
    )


async def lock_subjects(
    transaction: AsyncConnection, opened: Iterable[Subject]
) -> Mapping[UUID, Subject]:
    """Lock the rows of these subjects, made where missing, and return what they hold."""
    wanted = {subject.id: subject for subject in opened}
    await add_missing(transaction, SUBJECT, _IDENTITY, wanted.values())
    rows = await lock_rows(transaction, SUBJECT, _SUBJECT, wanted)
    return {row.id: Subject(*row) for row in rows}


async def known_events(transaction: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these were handled before; locks on what they are about keep it so."""
    if not ids:
        return set()
    query = select(CHANGE.c.event_id).where(any_of(CHANGE.c.event_id, ids))
    return set(await transaction.scalars(query))


async def record_changes(transaction: AsyncConnection, changes: Sequence[Change]) -> None:
    """Keep events for ever, in the order of their ids."""
    await _record(transaction, map(_recorded, changes))


async def record_orders(transaction: AsyncConnection, orders: Iterable[Order]) -> None:
    """Keep which messages of the platform were read for ever, but nothing of their customers."""
    await _record(transaction, map(_read, orders))


async def _record(transaction: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    ordered = sorted(rows, key=itemgetter(0))
    if not ordered:
        return
    await transaction.execute(inserting(CHANGE, _CHANGE, ordered).on_conflict_do_nothing())


async def write_subjects(transaction: AsyncConnection, subjects: Sequence[Subject]) -> None:
    """Store what the subjects are now; their rows are locked."""
    await update_rows(transaction, SUBJECT, _SUBJECT, subjects, updated_at=func.now())


async def add_messages(transaction: AsyncConnection, messages: Sequence[Message]) -> None:
    """Add messages; one that is there already stands as it is."""
    if not messages:
        return
    adding = inserting(MESSAGE, _MESSAGE, rows_of(_MESSAGE, messages))
    await transaction.execute(adding.on_conflict_do_nothing())


def _recorded(change: Change) -> tuple[object, ...]:
    event = change.event
    return (
        event.id,
        event.type.value,
        event.account,
        event.provider,
        event.reference,
        event.provider_reference,
        event.tx_hash,
        change.outcome.value,
        json.dumps(facts_of(event), ensure_ascii=False),
    )


def _read(order: Order) -> tuple[object, ...]:
    # The provider is the one by which ids of the platform's messages are derived.
    whose = (order.account, "order", order.reference)
    return (order.id, order.type.value, *whose, None, None, Fate.APPLIED.value, "{}")
