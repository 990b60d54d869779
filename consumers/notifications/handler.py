"""Applies a batch of events, orders and outcomes: stores the messages that their changes cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications import writing
from consumers.notifications.changes.paid import OrderPrice
from consumers.notifications.changes.subjects import (
    SubjectBatch,
    SubjectChange,
    SubjectMovement,
    new_movement,
    new_subject,
    plan_changes,
)
from consumers.notifications.contacts import (
    Contact,
    OrderKey,
    contacts_in,
    lock_customers,
    wake,
    write_customers,
)
from consumers.notifications.options import NotificationOptions
from consumers.notifications.outcomes import COMMITTED, RETURNED, OrderOutcome
from consumers.notifications.rules import (
    CUSTOMER,
    LOG,
    ORDER_PAID,
    Intent,
    intents,
    message_id,
)
from consumers.notifications.sending.addresses import mailbox
from consumers.notifications.tables import PENDING, SKIPPED
from consumers.notifications.writing import NewMessage
from consumers.runtime.fate import Fate
from router.contract.event import Event
from router.contract.order import Order

Cause = Event | OrderOutcome
"""What causes messages."""

Customers = Mapping[OrderKey, Contact]


@dataclass(frozen=True)
class Arrivals:
    """The messages of a batch that matter here, in their order."""

    causes: Sequence[Cause]
    orders: Sequence[Order]

    @property
    def keys(self) -> set[OrderKey]:
        """The orders that they are about."""
        about = [*self.causes, *self.orders]
        return {(each.account, each.reference) for each in about if each.reference}

    @property
    def payers(self) -> Sequence[Event]:
        """The events with an address of a payer."""
        return [each for each in self.causes if isinstance(each, Event) and each.customer.email]


def arrivals_of(messages: Iterable[Any], options: NotificationOptions) -> Arrivals:
    """Return those messages that matter: events, orders, and outcomes that decide about paid."""
    messages = list(messages)
    # A decision of an operator has no customer.
    orders = [each for each in messages if isinstance(each, Order) and each.decided is None]
    return Arrivals([each for each in messages if _is_cause(each, options)], orders)


def _is_cause(message: object, options: NotificationOptions) -> bool:
    if isinstance(message, OrderOutcome):
        relevant = message.status in {COMMITTED, RETURNED} and message.reference is not None
        return relevant and options.paid == "inventory"
    return isinstance(message, Event)


def movements_of(causes: Iterable[Cause]) -> Sequence[SubjectMovement]:
    """Return the movements that events name, before anything is applied."""
    named = (new_movement(each) for each in causes if isinstance(each, Event))
    return [each for each in named if each is not None]


def prices_of(
    customers: Customers, options: NotificationOptions
) -> Mapping[OrderKey, OrderPrice] | None:
    """Return the totals of orders; None if events prove nothing about orders."""
    if options.paid != "gateway":
        return None
    return {key: contact.price for key, contact in customers.items()}


@dataclass(frozen=True)
class MessageWriter:
    """Makes the messages of a batch that is applied `now`."""

    options: NotificationOptions
    customers: Customers
    now: datetime

    def write(self, changes: Iterable[SubjectChange]) -> list[NewMessage]:
        """Return the messages for changes, each with its recipient or waiting for an address."""
        intents_of = cache(partial(intents, self.options.rules))
        return [
            self._message(change.cause, intent)
            for change in changes
            if change.kinds
            for intent in intents_of(tuple(change.kinds))
        ]

    def _message(self, cause: Cause, intent: Intent) -> NewMessage:
        contact = self._contact(cause, intent)
        waits = intent.recipient == CUSTOMER and intent.channel != LOG and contact.email is None
        state, why = PENDING, None
        if self.now - _arrived(cause) > self._longest:
            state, why = SKIPPED, "the event was too old when it was applied"
        elif waits and cause.reference is None:
            state, why = SKIPPED, "no address, and no order to get one from"
        return NewMessage(
            id=message_id(cause.id, intent.channel, intent.recipient),
            event_id=cause.id,
            channel=intent.channel,
            recipient=intent.recipient,
            kind=intent.kind,
            address=None if intent.channel == LOG else contact.email,
            language=contact.language,
            state=state,
            wait_until=self._until if waits and state == PENDING else None,
            last_error=why,
        )

    @cached_property
    def _longest(self) -> timedelta:
        return timedelta(hours=self.options.skip_older_than_hours)

    @cached_property
    def _until(self) -> datetime:
        return self.now + timedelta(seconds=self.options.wait_for_order_seconds)

    def _contact(self, cause: Cause, intent: Intent) -> Contact:
        if intent.recipient != CUSTOMER:
            operator = self.options.operators[intent.recipient]
            return Contact(operator.email, operator.language)
        order = self.customers.get((cause.account, cause.reference or ""), Contact())
        return _customer(cause, order, intent)


def _arrived(cause: Cause) -> datetime:
    return cause.received_at if isinstance(cause, Event) else cause.at


def _customer(cause: Cause, order: Contact, intent: Intent) -> Contact:
    """Return the customer's contact: of the event, else of the order, else of its payer."""
    own = mailbox(cause.customer.email) if isinstance(cause, Event) else None
    payer = order.payer_email if intent.kind == ORDER_PAID else None
    return Contact(own or order.email or payer, order.language)


@dataclass(frozen=True)
class NotificationHandler:
    """Applies batches of events, orders and outcomes, by the rules of the configuration."""

    options: NotificationOptions

    async def __call__(self, transaction: AsyncConnection, events: Sequence[Any]) -> Sequence[Fate]:
        """Store the messages for each event; return the result of each event, in their order.

        Orders supply the customers' addresses. An event that was handled before,
        is repeated within the batch, or is irrelevant here, is stale.
        """
        fresh = {event.id: event for event in reversed(events)}
        ordered = [fresh[each] for each in dict.fromkeys(event.id for event in events)]
        arrived = arrivals_of(ordered, self.options)
        known = await lock_customers(transaction, arrived.keys)
        known, learnt_from = await self._learn(transaction, arrived, known)
        outcomes = await self._changes(transaction, arrived.causes, known)
        outcomes |= dict.fromkeys(learnt_from, Fate.APPLIED)
        # The second pop of a repeated id finds nothing, as for an event handled earlier.
        return [outcomes.pop(event.id, Fate.STALE) for event in events]

    async def _learn(
        self, transaction: AsyncConnection, arrived: Arrivals, known: Customers
    ) -> tuple[Customers, Sequence[UUID]]:
        """Store contacts from new orders and payments; release messages that wait for an address.

        Returns the contacts, and the ids of the new orders. Ignores an order or payment
        that was read before: it could restore an address that was corrected or removed
        since. The caller holds the locks of the customers' rows.
        """
        ids = [*(each.id for each in arrived.orders), *(each.id for each in arrived.payers)]
        old = await writing.known_events(transaction, ids)
        new = [order for order in arrived.orders if order.id not in old]
        await writing.record_orders(transaction, new)
        found = contacts_in(new, [each for each in arrived.payers if each.id not in old])
        learnt = {key: known[key].updated_with(contact) for key, contact in found.items()}
        await write_customers(
            transaction, {key: each for key, each in learnt.items() if each != known[key]}
        )
        await wake(transaction, learnt)
        return {**known, **learnt}, [order.id for order in new]

    async def _changes(
        self, transaction: AsyncConnection, causes: Sequence[Cause], customers: Customers
    ) -> dict[UUID, Fate]:
        if not causes:
            return {}
        subjects = {each.id: each for each in map(new_subject, causes)}
        before = await writing.lock_subjects(transaction, subjects.values())
        old = await writing.known_events(transaction, [each.id for each in causes])
        new = [each for each in causes if each.id not in old]
        movements = await writing.read_movements(transaction, movements_of(new))
        batch = SubjectBatch(before, movements, prices_of(customers, self.options))
        changes, after = plan_changes(batch, new)
        await writing.record_changes(transaction, changes)
        await writing.write_subjects(transaction, changed(batch.subjects, after.subjects))
        await writing.write_movements(transaction, changed(batch.movements, after.movements))
        writer = MessageWriter(self.options, customers, datetime.now(UTC))
        await writing.add_messages(transaction, writer.write(changes))
        return {change.cause.id: change.outcome for change in changes}


_Row = TypeVar("_Row")


def changed(before: Mapping[UUID, _Row], after: Mapping[UUID, _Row]) -> list[_Row]:
    """Return the rows that are new or differ afterwards."""
    return [each for key, each in after.items() if each != before.get(key)]
