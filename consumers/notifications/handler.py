"""Applies a batch of events, orders and outcomes: stores the messages that their changes cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications import writing
from consumers.notifications.changes.subjects import (
    Subject,
    SubjectBatch,
    SubjectChange,
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
        causes = [each for each in ordered if self._is_cause(each)]
        # A decision of an operator has no customer.
        orders = [each for each in ordered if isinstance(each, Order) and each.decided is None]
        keys = {(each.account, each.reference) for each in [*causes, *orders] if each.reference}
        known = await lock_customers(transaction, keys)
        known, learnt_from = await self._learn(transaction, orders, causes, known)
        outcomes = await self._changes(transaction, causes, known)
        outcomes |= dict.fromkeys(learnt_from, Fate.APPLIED)
        # The second pop of a repeated id finds nothing, as for an event handled earlier.
        return [outcomes.pop(event.id, Fate.STALE) for event in events]

    def _is_cause(self, message: object) -> bool:
        """Return whether it may cause messages: an event, or an outcome that decides about paid."""
        if isinstance(message, OrderOutcome):
            relevant = message.status in {COMMITTED, RETURNED} and message.reference is not None
            return relevant and self.options.paid == "inventory"
        return isinstance(message, Event)

    async def _learn(
        self,
        transaction: AsyncConnection,
        orders: Sequence[Order],
        causes: Sequence[Cause],
        known: Customers,
    ) -> tuple[Customers, Sequence[UUID]]:
        """Store contacts from new orders and payments; release messages that wait for an address.

        Returns the contacts, and the ids of the new orders. Ignores an order or payment
        that was read before: it could restore an address that was corrected or removed
        since. The caller holds the locks of the customers' rows.
        """
        payers = [each for each in causes if isinstance(each, Event) and each.customer.email]
        ids = [*(order.id for order in orders), *(payer.id for payer in payers)]
        old = await writing.known_events(transaction, ids)
        new = [order for order in orders if order.id not in old]
        await writing.record_orders(transaction, new)
        found = contacts_in(new, [each for each in payers if each.id not in old])
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
        batch = await self._batch(transaction, before, new, customers)
        changes, after = plan_changes(batch, new)
        await writing.record_changes(transaction, changes)
        await writing.write_subjects(transaction, _changed(batch.subjects, after.subjects))
        await writing.write_movements(transaction, _changed(batch.movements, after.movements))
        now = datetime.now(UTC)
        messages = [each for change in changes for each in self._messages(change, customers, now)]
        await writing.add_messages(transaction, messages)
        return {change.cause.id: change.outcome for change in changes}

    async def _batch(
        self,
        transaction: AsyncConnection,
        subjects: Mapping[UUID, Subject],
        causes: Sequence[Cause],
        customers: Customers,
    ) -> SubjectBatch:
        events = [each for each in causes if isinstance(each, Event)]
        named = [each for each in map(new_movement, events) if each is not None]
        movements = await writing.read_movements(transaction, named)
        prices = None
        if self.options.paid == "gateway":
            prices = {key: contact.price for key, contact in customers.items()}
        return SubjectBatch(subjects, movements, prices)

    def _messages(
        self, change: SubjectChange, customers: Customers, now: datetime
    ) -> Sequence[NewMessage]:
        """Return the messages for a change, each with its recipient or waiting for an address."""
        cause = change.cause
        order = customers.get((cause.account, cause.reference or ""), Contact())
        return [
            self._message(cause, intent, _customer(cause, order, intent), now)
            for intent in intents(self.options.rules, change.kinds)
        ]

    def _message(
        self, cause: Cause, intent: Intent, customer: Contact, now: datetime
    ) -> NewMessage:
        contact = customer if intent.recipient == CUSTOMER else self._operator(intent.recipient)
        waits = intent.recipient == CUSTOMER and intent.channel != LOG and contact.email is None
        state, why = PENDING, None
        if now - _arrived(cause) > timedelta(hours=self.options.skip_older_than_hours):
            state, why = SKIPPED, "the event was too old when it was applied"
        elif waits and cause.reference is None:
            state, why = SKIPPED, "no address, and no order to get one from"
        until = now + timedelta(seconds=self.options.wait_for_order_seconds)
        return NewMessage(
            id=message_id(cause.id, intent.channel, intent.recipient),
            event_id=cause.id,
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


def _arrived(cause: Cause) -> datetime:
    return cause.received_at if isinstance(cause, Event) else cause.at


def _customer(cause: Cause, order: Contact, intent: Intent) -> Contact:
    """Return the customer's contact: of the event, else of the order, else of its payer."""
    own = mailbox(cause.customer.email) if isinstance(cause, Event) else None
    payer = order.payer_email if intent.kind == ORDER_PAID else None
    return Contact(own or order.email or payer, order.language)


_Row = TypeVar("_Row")


def _changed(before: Mapping[UUID, _Row], after: Mapping[UUID, _Row]) -> list[_Row]:
    return [each for key, each in after.items() if each != before.get(key)]
