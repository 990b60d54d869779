"""SQL statements of the handler: a few per batch, each over all its rows, locked in key order.

Rows are passed as one array per column, so that a batch of any size uses the
same prepared statement and never reaches the limit on parameters.
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
from consumers.notifications.subjects import Subject, SubjectChange
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
class Contact:
    """An e-mail address and a language; both are optional."""

    email: str | None = None
    language: str | None = None

    def updated_with(self, newer: "Contact") -> "Contact":
        """Return this contact with the values that `newer` has."""
        return Contact(newer.email or self.email, newer.language or self.language)


@dataclass(frozen=True)
class NewMessage:
    """A message to insert; the fields are columns of its row."""

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
_MESSAGE = [MESSAGE.c[field.name] for field in fields(NewMessage)]
_CHANGE = [each for each in CHANGE.c if each.name != "applied_at"]
_KEY = [CUSTOMER.c.account, CUSTOMER.c.reference]
_CUSTOMER = [*_KEY, CUSTOMER.c.email, CUSTOMER.c.language]


async def lock_customers(
    transaction: AsyncConnection, keys: Iterable[OrderKey]
) -> Mapping[OrderKey, Contact]:
    """Lock the customers of these orders and return their contacts; insert missing rows.

    A payment and its order come from different topics: the second to arrive
    finds the row of the first.
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
    return {(row.account, row.reference): Contact(row.email, row.language) for row in rows}


async def write_customers(transaction: AsyncConnection, learnt: Mapping[OrderKey, Contact]) -> None:
    """Store changed contacts. The caller holds the locks of their rows."""
    if not learnt:
        return
    source = as_table(_CUSTOMER, [(*key, w.email, w.language) for key, w in learnt.items()])
    await transaction.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.account == source.c.account, CUSTOMER.c.reference == source.c.reference)
        .values(email=source.c.email, language=source.c.language, updated_at=func.now())
    )


async def wake(transaction: AsyncConnection, learnt: Mapping[OrderKey, Contact]) -> None:
    """Give waiting messages the address of their order, and make them due."""
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
    transaction: AsyncConnection, subjects: Iterable[Subject]
) -> Mapping[UUID, Subject]:
    """Lock the rows of these subjects and return their contents; insert missing rows."""
    wanted = {subject.id: subject for subject in subjects}
    await add_missing(transaction, SUBJECT, _IDENTITY, wanted.values())
    rows = await lock_rows(transaction, SUBJECT, _SUBJECT, wanted)
    return {row.id: Subject(*row) for row in rows}


async def known_events(transaction: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Return the ids that were handled before; the locks on their subjects keep this stable."""
    if not ids:
        return set()
    query = select(CHANGE.c.event_id).where(any_of(CHANGE.c.event_id, ids))
    return set(await transaction.scalars(query))


async def record_changes(transaction: AsyncConnection, changes: Sequence[SubjectChange]) -> None:
    """Store events permanently, in the order of their ids."""
    await _record(transaction, map(_recorded, changes))


async def record_orders(transaction: AsyncConnection, orders: Iterable[Order]) -> None:
    """Store the ids of handled order messages permanently, without customer data."""
    await _record(transaction, map(_read, orders))


async def _record(transaction: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    ordered = sorted(rows, key=itemgetter(0))
    if not ordered:
        return
    await transaction.execute(inserting(CHANGE, _CHANGE, ordered).on_conflict_do_nothing())


async def write_subjects(transaction: AsyncConnection, subjects: Sequence[Subject]) -> None:
    """Store changed subjects. The caller holds the locks of their rows."""
    await update_rows(transaction, SUBJECT, _SUBJECT, subjects, updated_at=func.now())


async def add_messages(transaction: AsyncConnection, messages: Sequence[NewMessage]) -> None:
    """Insert messages; existing ones are left unchanged."""
    if not messages:
        return
    adding = inserting(MESSAGE, _MESSAGE, rows_of(_MESSAGE, messages))
    await transaction.execute(adding.on_conflict_do_nothing())


def _recorded(change: SubjectChange) -> tuple[object, ...]:
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
    # The same provider name as in the ids derived for the platform's messages.
    whose = (order.account, "order", order.reference)
    return (order.id, order.type.value, *whose, None, None, Fate.APPLIED.value, "{}")
