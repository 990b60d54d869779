"""Applies a plain batch: the plan of the general handler, written on the driver's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

from msgspec.structs import astuple

from consumers.notifications.changes.subjects import (
    SubjectBatch,
    SubjectChange,
    new_subject,
    plan_changes,
)
from consumers.notifications.contacts import Contact, contacts_in
from consumers.notifications.handler import (
    Arrivals,
    Customers,
    MessageWriter,
    arrivals_of,
    changed,
    movements_of,
    prices_of,
)
from consumers.notifications.options import NotificationOptions
from consumers.notifications.plain import customers, subjects
from consumers.notifications.tables import CHANGE, MESSAGE
from consumers.notifications.writing import RECORDED, NewMessage, changed_row, order_row
from consumers.runtime.fate import Fate
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import addition, whole_rows
from router.contract.order import Order

_MESSAGE: Final = NewMessage.__struct_fields__


@dataclass(frozen=True)
class PlainNotificationHandler:
    """Applies plain batches like `NotificationHandler`, with the same rows."""

    options: NotificationOptions

    async def __call__(self, driver: Driver, events: Sequence[Any]) -> Sequence[Fate]:
        """Store the messages for each event; return the result of each event, in their order.

        If one was handled before, or another process has inserted one of the customers or
        subjects, the database refuses the rows.
        """
        arrived = arrivals_of(events, self.options)
        known = await _meet(driver, arrived)
        changes = await self._change(driver, arrived, known)
        await _record(driver, changes, arrived.orders)
        writer = MessageWriter(self.options, known, datetime.now(UTC))
        messages = writer.write(changes)
        if messages:
            rows = whole_rows(MESSAGE, _MESSAGE, map(astuple, messages))
            await driver.fetch(addition(MESSAGE, _MESSAGE), rows)
        outcomes = {change.cause.id: change.outcome for change in changes}
        outcomes |= dict.fromkeys((each.id for each in arrived.orders), Fate.APPLIED)
        return [outcomes.get(event.id, Fate.STALE) for event in events]

    async def _change(
        self, driver: Driver, arrived: Arrivals, known: Customers
    ) -> Sequence[SubjectChange]:
        """Store what the events and outcomes change; return the changes."""
        if not arrived.causes:
            return []
        wanted = {each.id: each for each in map(new_subject, arrived.causes)}
        stored = await subjects.lock(driver, wanted)
        named = [each.id for each in movements_of(arrived.causes)]
        movements = await subjects.read_movements(driver, named)
        prices = prices_of(known, self.options)
        changes, after = plan_changes(
            SubjectBatch({**wanted, **stored}, movements, prices), arrived.causes
        )
        await subjects.write(driver, stored, after.subjects.values())
        await subjects.write_movements(driver, changed(movements, after.movements))
        return changes


async def _meet(driver: Driver, arrived: Arrivals) -> Customers:
    """Store contacts from orders and payments; release messages that wait for an address."""
    stored = await customers.lock(driver, arrived.keys)
    known = {key: stored.get(key, Contact()) for key in arrived.keys}
    found = contacts_in(arrived.orders, arrived.payers)
    learnt = {key: known[key].updated_with(contact) for key, contact in found.items()}
    await customers.write(driver, stored, {**known, **learnt})
    # Only a known customer has messages: they are stored in the transaction of their event.
    await customers.wake(driver, {key: each for key, each in learnt.items() if key in stored})
    return {**known, **learnt}


async def _record(
    driver: Driver, changes: Sequence[SubjectChange], orders: Sequence[Order]
) -> None:
    """Store events, outcomes and order messages permanently, in the order of their ids."""
    rows = [*map(order_row, orders), *map(changed_row, changes)]
    if rows:
        ordered = sorted(rows, key=itemgetter(0))
        await driver.fetch(addition(CHANGE, RECORDED), whole_rows(CHANGE, RECORDED, ordered))
