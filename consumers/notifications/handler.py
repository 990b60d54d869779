"""Write down, in the transaction of the events, which messages are to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications import writing
from consumers.notifications.addresses import mailbox
from consumers.notifications.options import Options
from consumers.notifications.rules import CUSTOMER, LOG, Intent, intents, message_id
from consumers.notifications.subjects import Change, draw_up, opened
from consumers.notifications.tables import PENDING, SKIPPED
from consumers.notifications.writing import Message, OrderKey, Whom
from consumers.runtime.fate import Fate
from router.contract.event import Event
from router.contract.order import Order


@dataclass(frozen=True)
class Handler:
    """Applies batches of events and orders, by the rules of the configuration."""

    options: Options

    async def __call__(self, transaction: AsyncConnection, events: Sequence[Any]) -> Sequence[Fate]:
        """Write the messages each event calls for and say what became of it, in their order.

        What was handled before, or a repeat within the batch, is stale. Orders
        say whom to write; what is of no matter here is stale as well.
        """
        fresh = {event.id: event for event in reversed(events)}
        ordered = [fresh[each] for each in dict.fromkeys(event.id for event in events)]
        payments = [each for each in ordered if isinstance(each, Event)]
        orders = [each for each in ordered if isinstance(each, Order)]
        keys = {(p.account, p.reference) for p in payments if p.reference is not None}
        known = await writing.lock_customers(transaction, keys | told_by(orders).keys())
        learnt, learnt_from = await self._learn(transaction, orders, known)
        outcomes = await self._changes(transaction, payments, {**known, **learnt})
        outcomes |= dict.fromkeys(learnt_from, Fate.APPLIED)
        # A repeat finds its id gone, like an event that was handled before.
        return [outcomes.pop(event.id, Fate.STALE) for event in events]

    async def _learn(
        self,
        transaction: AsyncConnection,
        orders: Sequence[Order],
        known: Mapping[OrderKey, Whom],
    ) -> tuple[Mapping[OrderKey, Whom], Sequence[UUID]]:
        """Learn what new messages say of customers, wake who waited; return whom, and from which.

        A message that was read before says nothing: it would bring back an
        address that was corrected or removed since. The rows are locked.
        """
        old = await writing.known_events(transaction, [order.id for order in orders])
        new = [order for order in orders if order.id not in old]
        await writing.record_orders(transaction, new)
        learnt = {key: known[key].learn(whom) for key, whom in told_by(new).items()}
        await writing.write_customers(
            transaction, {key: whom for key, whom in learnt.items() if whom != known[key]}
        )
        await writing.wake(transaction, {key: whom for key, whom in learnt.items() if whom.email})
        return learnt, [order.id for order in new]

    async def _changes(
        self,
        transaction: AsyncConnection,
        payments: Sequence[Event],
        customers: Mapping[OrderKey, Whom],
    ) -> dict[UUID, Fate]:
        if not payments:
            return {}
        subjects = {event.id: opened(event) for event in payments}
        before = await writing.lock_subjects(transaction, subjects.values())
        known = await writing.known_events(transaction, [event.id for event in payments])
        new = [(subjects[e.id].id, e) for e in payments if e.id not in known]
        changes, after = draw_up(before, new)
        await writing.record_changes(transaction, changes)
        moved = [subject for key, subject in after.items() if subject != before[key]]
        await writing.write_subjects(transaction, moved)
        now = datetime.now(UTC)
        messages = [each for change in changes for each in self._messages(change, customers, now)]
        await writing.add_messages(transaction, messages)
        return {change.event.id: change.outcome for change in changes}

    def _messages(
        self, change: Change, customers: Mapping[OrderKey, Whom], now: datetime
    ) -> Sequence[Message]:
        """Make the messages of a change: to whom, and whether anything still has to be awaited."""
        event = change.event
        order = customers.get((event.account, event.reference or ""), Whom())
        own = mailbox(event.customer.email)
        customer = Whom(own or order.email, order.language)
        return [
            self._message(event, intent, customer, now)
            for intent in intents(self.options.rules, change.kinds)
        ]

    def _message(self, event: Event, intent: Intent, customer: Whom, now: datetime) -> Message:
        whom = customer if intent.recipient == CUSTOMER else self._operator(intent.recipient)
        waits = intent.recipient == CUSTOMER and intent.channel != LOG and whom.email is None
        state, why = PENDING, None
        if now - event.received_at > timedelta(hours=self.options.skip_older_than_hours):
            state, why = SKIPPED, "the event was too old when it was applied"
        elif waits and event.reference is None:
            state, why = SKIPPED, "no address, and no order that could say one"
        until = now + timedelta(seconds=self.options.wait_for_order_seconds)
        return Message(
            id=message_id(event.id, intent.channel, intent.recipient),
            event_id=event.id,
            channel=intent.channel,
            recipient=intent.recipient,
            kind=intent.kind,
            address=None if intent.channel == LOG else whom.email,
            language=whom.language,
            state=state,
            wait_until=until if waits and state == PENDING else None,
            last_error=why,
        )

    def _operator(self, name: str) -> Whom:
        operator = self.options.operators[name]
        return Whom(operator.email, operator.language)


def told_by(orders: Sequence[Order]) -> dict[OrderKey, Whom]:
    """Return what orders say of their customers, the last word standing."""
    told: dict[OrderKey, Whom] = {}
    for order in orders:
        key = (order.account, order.reference)
        said = Whom(mailbox(order.customer.email), order.customer.language)
        told[key] = told.get(key, Whom()).learn(said)
    return told
