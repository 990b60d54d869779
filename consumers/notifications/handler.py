"""Stores the messages to send, in the transaction of the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications import writing
from consumers.notifications.addresses import mailbox
from consumers.notifications.options import NotificationOptions
from consumers.notifications.rules import CUSTOMER, LOG, Intent, intents, message_id
from consumers.notifications.subjects import SubjectChange, new_subject, plan_changes
from consumers.notifications.tables import PENDING, SKIPPED
from consumers.notifications.writing import Contact, NewMessage, OrderKey
from consumers.runtime.fate import Fate
from router.contract.event import Event
from router.contract.order import Order


@dataclass(frozen=True)
class NotificationHandler:
    """Applies batches of events and orders, by the rules of the configuration."""

    options: NotificationOptions

    async def __call__(self, transaction: AsyncConnection, events: Sequence[Any]) -> Sequence[Fate]:
        """Store the messages for each event; return the result of each event, in their order.

        Orders supply the customers' addresses. An event that was handled before,
        is repeated within the batch, or is irrelevant here, is stale.
        """
        fresh = {event.id: event for event in reversed(events)}
        ordered = [fresh[each] for each in dict.fromkeys(event.id for event in events)]
        payments = [each for each in ordered if isinstance(each, Event)]
        orders = [each for each in ordered if isinstance(each, Order)]
        keys = {(p.account, p.reference) for p in payments if p.reference is not None}
        known = await writing.lock_customers(transaction, keys | contacts_in(orders).keys())
        learnt, learnt_from = await self._learn(transaction, orders, known)
        outcomes = await self._changes(transaction, payments, {**known, **learnt})
        outcomes |= dict.fromkeys(learnt_from, Fate.APPLIED)
        # The second pop of a repeated id finds nothing, as for an event handled earlier.
        return [outcomes.pop(event.id, Fate.STALE) for event in events]

    async def _learn(
        self,
        transaction: AsyncConnection,
        orders: Sequence[Order],
        known: Mapping[OrderKey, Contact],
    ) -> tuple[Mapping[OrderKey, Contact], Sequence[UUID]]:
        """Store contacts from new orders and release messages that wait for an address.

        Returns the contacts, and the ids of the new orders. Ignores an order that
        was read before: it could restore an address that was corrected or removed
        since. The caller holds the locks of the customers' rows.
        """
        old = await writing.known_events(transaction, [order.id for order in orders])
        new = [order for order in orders if order.id not in old]
        await writing.record_orders(transaction, new)
        learnt = {key: known[key].updated_with(whom) for key, whom in contacts_in(new).items()}
        await writing.write_customers(
            transaction, {key: whom for key, whom in learnt.items() if whom != known[key]}
        )
        await writing.wake(transaction, {key: whom for key, whom in learnt.items() if whom.email})
        return learnt, [order.id for order in new]

    async def _changes(
        self,
        transaction: AsyncConnection,
        payments: Sequence[Event],
        customers: Mapping[OrderKey, Contact],
    ) -> dict[UUID, Fate]:
        if not payments:
            return {}
        subjects = {event.id: new_subject(event) for event in payments}
        before = await writing.lock_subjects(transaction, subjects.values())
        known = await writing.known_events(transaction, [event.id for event in payments])
        new = [(subjects[e.id].id, e) for e in payments if e.id not in known]
        changes, after = plan_changes(before, new)
        await writing.record_changes(transaction, changes)
        moved = [subject for key, subject in after.items() if subject != before[key]]
        await writing.write_subjects(transaction, moved)
        now = datetime.now(UTC)
        messages = [each for change in changes for each in self._messages(change, customers, now)]
        await writing.add_messages(transaction, messages)
        return {change.event.id: change.outcome for change in changes}

    def _messages(
        self, change: SubjectChange, customers: Mapping[OrderKey, Contact], now: datetime
    ) -> Sequence[NewMessage]:
        """Return the messages for a change, each with its recipient or waiting for an address."""
        event = change.event
        order = customers.get((event.account, event.reference or ""), Contact())
        own = mailbox(event.customer.email)
        customer = Contact(own or order.email, order.language)
        return [
            self._message(event, intent, customer, now)
            for intent in intents(self.options.rules, change.kinds)
        ]

    def _message(
        self, event: Event, intent: Intent, customer: Contact, now: datetime
    ) -> NewMessage:
        contact = customer if intent.recipient == CUSTOMER else self._operator(intent.recipient)
        waits = intent.recipient == CUSTOMER and intent.channel != LOG and contact.email is None
        state, why = PENDING, None
        if now - event.received_at > timedelta(hours=self.options.skip_older_than_hours):
            state, why = SKIPPED, "the event was too old when it was applied"
        elif waits and event.reference is None:
            state, why = SKIPPED, "no address, and no order to get one from"
        until = now + timedelta(seconds=self.options.wait_for_order_seconds)
        return NewMessage(
            id=message_id(event.id, intent.channel, intent.recipient),
            event_id=event.id,
            channel=intent.channel,
            recipient=intent.recipient,
            kind=intent.kind,
            address=None if intent.channel == LOG else contact.email,
            language=contact.language,
            state=state,
            wait_until=until if waits and state == PENDING else None,
            last_error=why,
        )

    def _operator(self, name: str) -> Contact:
        operator = self.options.operators[name]
        return Contact(operator.email, operator.language)


def contacts_in(orders: Sequence[Order]) -> dict[OrderKey, Contact]:
    """Return the customers' contacts from orders; later values replace earlier ones."""
    contacts: dict[OrderKey, Contact] = {}
    for order in orders:
        key = (order.account, order.reference)
        contact = Contact(mailbox(order.customer.email), order.customer.language)
        contacts[key] = contacts.get(key, Contact()).updated_with(contact)
    return contacts
