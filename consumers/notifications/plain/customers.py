"""Customers of a plain batch; see `consumers.notifications.contacts`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from consumers.notifications.contacts import Contact, OrderKey
from consumers.notifications.rules import ORDER_PAID
from consumers.notifications.tables import CHANGE, CUSTOMER, MESSAGE
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import addition, columns_of, full_name, given, whole_rows

_KEY: Final = ("account", "reference")
_CONTACT: Final = Contact.__struct_fields__
_WOKEN: Final = (*_KEY, "email", "language")
_SAME_ORDER: Final = "known.account = given.account AND known.reference = given.reference"


async def lock(driver: Driver, keys: Collection[OrderKey]) -> Mapping[OrderKey, Contact]:
    """Lock the customers of these orders as far as they exist, in their order."""
    if not keys:
        return {}
    rows = await driver.fetch(
        f"SELECT {', '.join((*_KEY, *_CONTACT))} FROM {full_name(CUSTOMER)} "  # noqa: S608 - names of columns
        f"WHERE (account, reference) IN (SELECT account, reference FROM {given(CUSTOMER, _KEY)}) "
        "ORDER BY account, reference FOR UPDATE",
        *columns_of(keys),
    )
    return {(row[0], row[1]): Contact(*tuple(row)[len(_KEY) :]) for row in rows}


async def write(
    driver: Driver, known: Mapping[OrderKey, Contact], after: Mapping[OrderKey, Contact]
) -> None:
    """Insert the customers that are new and store those that changed.

    The caller holds the locks of those that are `known`. If another process has inserted one of the
    new ones, the database refuses the row.
    """
    new = [(*key, *_values(after[key])) for key in sorted(after) if key not in known]
    if new:
        names = (*_KEY, *_CONTACT)
        await driver.fetch(addition(CUSTOMER, names), whole_rows(CUSTOMER, names, new))
    changed = [(*key, *_values(after[key])) for key in known if after[key] != known[key]]
    if changed:
        values = ", ".join(f"{name} = given.{name}" for name in _CONTACT)
        await driver.fetch(
            f"UPDATE {full_name(CUSTOMER)} AS known SET {values}, updated_at = now() "  # noqa: S608 - names of columns
            f"FROM {given(CUSTOMER, (*_KEY, *_CONTACT))} WHERE {_SAME_ORDER}",
            *columns_of(changed),
        )


async def wake(driver: Driver, learnt: Mapping[OrderKey, Contact]) -> None:
    """Give waiting messages of orders the address that was learnt, and make them due.

    The caller holds the locks of these customers, so no other process adds a message that waits.
    """
    if not learnt or not await _any_waits(driver):
        return
    by_order = [(*key, each.email, each.language) for key, each in learnt.items() if each.email]
    by_payer = [
        (*key, each.payer_email, each.language)
        for key, each in learnt.items()
        if each.payer_email and not each.email
    ]
    await _wake(driver, by_order, "true")
    await _wake(driver, by_payer, f"message.kind = '{ORDER_PAID}'")


async def _any_waits(driver: Driver) -> bool:
    (found,) = await driver.fetch(
        f"SELECT EXISTS (SELECT FROM {full_name(MESSAGE)} WHERE wait_until IS NOT NULL) AS waits"  # noqa: S608 - the name of a table
    )
    return bool(found["waits"])


async def _wake(driver: Driver, rows: Sequence[tuple[object, ...]], condition: str) -> None:
    if rows:
        await driver.fetch(
            f"UPDATE {full_name(MESSAGE)} AS message SET address = given.email, "  # noqa: S608 - names of columns
            "language = given.language, wait_until = NULL, due_at = now() "
            f"FROM {full_name(CHANGE)} AS known JOIN {given(CUSTOMER, _WOKEN)} ON {_SAME_ORDER} "
            "WHERE message.wait_until IS NOT NULL AND message.event_id = known.event_id "
            f"AND {condition}",
            *columns_of(rows),
        )


def _values(contact: Contact) -> tuple[object, ...]:
    return tuple(getattr(contact, name) for name in _CONTACT)
