"""SQL statements of the handler: a few per batch, each over all its rows, locked in key order.

Rows are passed as one array per column, so that a batch of any size uses the
same prepared statement and never reaches the limit on parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, json
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.changes.subjects import Subject, SubjectChange, SubjectMovement
from consumers.notifications.facts import Facts, facts_of, order_facts
from consumers.notifications.outcomes import OrderOutcome
from consumers.notifications.tables import CHANGE, MESSAGE, MOVEMENT, SUBJECT
from consumers.runtime.fate import Fate
from consumers.runtime.store.arrays import (
    add_missing,
    any_of,
    inserting,
    lock_rows,
    rows_of,
    update_rows,
)
from router.contract.order import Order


class NewMessage(Struct, frozen=True):
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


RECORDED: Final = tuple(each.name for each in CHANGE.c if each.name != "applied_at")
"""The columns of `change` that a row is inserted with."""

_SUBJECT = [SUBJECT.c[name] for name in Subject.__struct_fields__]
_IDENTITY = _SUBJECT[:6]
_MOVEMENT = [MOVEMENT.c[name] for name in SubjectMovement.__struct_fields__]
_MESSAGE = [MESSAGE.c[name] for name in NewMessage.__struct_fields__]
_CHANGE = [CHANGE.c[name] for name in RECORDED]


async def lock_subjects(
    transaction: AsyncConnection, subjects: Iterable[Subject]
) -> Mapping[UUID, Subject]:
    """Lock the rows of these subjects and return their contents; insert missing rows."""
    wanted = {subject.id: subject for subject in subjects}
    await add_missing(transaction, SUBJECT, _IDENTITY, wanted.values())
    rows = await lock_rows(transaction, SUBJECT, _SUBJECT, wanted)
    return {row.id: Subject(*row) for row in rows}


async def read_movements(
    transaction: AsyncConnection, movements: Iterable[SubjectMovement]
) -> Mapping[UUID, SubjectMovement]:
    """Return the stored ones of these movements. The caller holds the locks of their subjects."""
    wanted = [each.id for each in movements]
    if not wanted:
        return {}
    rows = await transaction.execute(select(*_MOVEMENT).where(any_of(MOVEMENT.c.id, wanted)))
    return {row.id: SubjectMovement(*row) for row in rows}


async def known_events(transaction: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    """Return the ids that were handled before; the locks on their subjects keep this stable."""
    if not ids:
        return set()
    query = select(CHANGE.c.event_id).where(any_of(CHANGE.c.event_id, ids))
    return set(await transaction.scalars(query))


async def record_changes(transaction: AsyncConnection, changes: Sequence[SubjectChange]) -> None:
    """Store events and outcomes permanently, in the order of their ids."""
    await _record(transaction, map(changed_row, changes))


async def record_orders(transaction: AsyncConnection, orders: Iterable[Order]) -> None:
    """Store the ids of handled order messages permanently, without customer data."""
    await _record(transaction, map(order_row, orders))


async def _record(transaction: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    ordered = sorted(rows, key=itemgetter(0))
    if not ordered:
        return
    await transaction.execute(inserting(CHANGE, _CHANGE, ordered).on_conflict_do_nothing())


async def write_subjects(transaction: AsyncConnection, subjects: Sequence[Subject]) -> None:
    """Store changed subjects. The caller holds the locks of their rows."""
    await update_rows(transaction, SUBJECT, _SUBJECT, subjects, updated_at=func.now())


async def write_movements(
    transaction: AsyncConnection, movements: Sequence[SubjectMovement]
) -> None:
    """Store new and changed movements. The caller holds the locks of their subjects."""
    await add_missing(transaction, MOVEMENT, _MOVEMENT, movements)
    await update_rows(transaction, MOVEMENT, _MOVEMENT, movements, updated_at=func.now())


async def add_messages(transaction: AsyncConnection, messages: Sequence[NewMessage]) -> None:
    """Insert messages; existing ones are left unchanged."""
    if not messages:
        return
    adding = inserting(MESSAGE, _MESSAGE, rows_of(_MESSAGE, messages))
    await transaction.execute(adding.on_conflict_do_nothing())


def changed_row(change: SubjectChange) -> tuple[object, ...]:
    """Return the row of an event or outcome, in the order of the columns `RECORDED`."""
    cause, outcome = change.cause, change.outcome.value
    if isinstance(cause, OrderOutcome):
        facts = _json(order_facts(cause))
        kind = f"inventory.{cause.status}"
        return (cause.id, kind, cause.account, None, cause.reference, None, None, outcome, facts)
    return (
        cause.id,
        cause.type.value,
        cause.account,
        cause.gateway,
        cause.reference,
        cause.provider_reference,
        cause.tx_hash,
        outcome,
        _json(facts_of(cause, change.total)),
    )


def _json(facts: Facts) -> str:
    return json.encode(facts).decode()


def order_row(order: Order) -> tuple[object, ...]:
    """Return the row of an order message, in the order of the columns `RECORDED`."""
    whose = (order.account, None, order.reference)
    return (order.id, order.type.value, *whose, None, None, Fate.APPLIED.value, "{}")
