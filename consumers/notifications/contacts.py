"""Contacts of customers and totals of orders: SQL statements, locked in key order."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, func, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.changes.paid import OrderPrice
from consumers.notifications.rules import ORDER_PAID
from consumers.notifications.sending.addresses import mailbox
from consumers.notifications.tables import CHANGE, CUSTOMER, MESSAGE
from consumers.runtime.store.arrays import as_table, inserting
from router.contract.event import Event
from router.contract.order import Order, OrderType

OrderKey = tuple[str, str]
"""Account and reference."""


class Contact(Struct, frozen=True):
    """What is known about an order's customer, and the order's total; None if unknown.

    `payer_email` is the address that a gateway reported with a payment. It serves the
    messages about the order, not those about other payments.
    """

    email: str | None = None
    language: str | None = None
    payer_email: str | None = None
    total: Decimal | None = None
    currency: str | None = None

    @property
    def price(self) -> OrderPrice:
        """The order's total."""
        return OrderPrice(self.total, self.currency)

    def updated_with(self, newer: "Contact") -> "Contact":
        """Return this contact with the values that `newer` has; the first total counts."""
        priced = self if self.total is not None else newer
        return Contact(
            newer.email or self.email,
            newer.language or self.language,
            newer.payer_email or self.payer_email,
            priced.total,
            priced.currency,
        )


_KEY = [CUSTOMER.c.account, CUSTOMER.c.reference]
_CONTACT = [
    CUSTOMER.c.email,
    CUSTOMER.c.language,
    CUSTOMER.c.payer_email,
    CUSTOMER.c.total,
    CUSTOMER.c.currency,
]
_CUSTOMER = [*_KEY, *_CONTACT]


def contacts_in(orders: Sequence[Order], events: Sequence[Event] = ()) -> dict[OrderKey, Contact]:
    """Return the contacts from orders and events with a reference; later values replace earlier."""
    contacts: dict[OrderKey, Contact] = {}
    for key, contact in [*map(_of_order, orders), *filter(None, map(_of_payer, events))]:
        contacts[key] = contacts.get(key, Contact()).updated_with(contact)
    return contacts


def _of_order(order: Order) -> tuple[OrderKey, Contact]:
    contact = Contact(mailbox(order.customer.email), order.customer.language)
    if order.type is OrderType.PLACED:
        contact = replace(contact, total=order.total, currency=order.currency)
    return (order.account, order.reference), contact


def _of_payer(event: Event) -> tuple[OrderKey, Contact] | None:
    email = mailbox(event.customer.email)
    if event.reference is None or email is None:
        return None
    return (event.account, event.reference), Contact(payer_email=email)


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
    return {(row.account, row.reference): Contact(*row[len(_KEY) :]) for row in rows}


async def write_customers(transaction: AsyncConnection, learnt: Mapping[OrderKey, Contact]) -> None:
    """Store changed contacts. The caller holds the locks of their rows."""
    if not learnt:
        return
    source = as_table(_CUSTOMER, [(*key, *_values(each)) for key, each in learnt.items()])
    await transaction.execute(
        update(CUSTOMER)
        .where(CUSTOMER.c.account == source.c.account, CUSTOMER.c.reference == source.c.reference)
        .values({each.name: source.c[each.name] for each in _CONTACT} | {"updated_at": func.now()})
    )


async def wake(transaction: AsyncConnection, learnt: Mapping[OrderKey, Contact]) -> None:
    """Give waiting messages the address of their customer, and make them due."""
    by_order = {key: (each.email, each.language) for key, each in learnt.items() if each.email}
    by_payer = {
        key: (each.payer_email, each.language)
        for key, each in learnt.items()
        if each.payer_email and not each.email
    }
    await _wake(transaction, by_order, true())
    await _wake(transaction, by_payer, MESSAGE.c.kind == ORDER_PAID)


async def _wake(
    transaction: AsyncConnection,
    addresses: Mapping[OrderKey, tuple[str | None, str | None]],
    condition: ColumnElement[bool],
) -> None:
    if not addresses:
        return
    columns = [*_KEY, CUSTOMER.c.email, CUSTOMER.c.language]
    source = as_table(columns, [(*key, *found) for key, found in addresses.items()])
    await transaction.execute(
        update(MESSAGE)
        .where(
            MESSAGE.c.wait_until.is_not(None),
            MESSAGE.c.event_id == CHANGE.c.event_id,
            CHANGE.c.account == source.c.account,
            CHANGE.c.reference == source.c.reference,
            condition,
        )
        .values(
            address=source.c.email,
            language=source.c.language,
            wait_until=None,
            due_at=func.now(),
        )
    )


def _values(contact: Contact) -> tuple[object, ...]:
    return tuple(getattr(contact, each.name) for each in _CONTACT)
