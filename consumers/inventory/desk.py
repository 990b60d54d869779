"""Applies messages one after the other to what was read of the store. Without a database.

What it holds when it ends is what has to be written.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from consumers.inventory.identity import (
    ADDRESS,
    REFERENCE,
    clue_id,
    order_id,
    payment_id,
    stock_id,
)
from consumers.inventory.orders import Change, Note, OrderState, cancel, give_up, pay, place, refund
from consumers.inventory.payments import Payment, absorb, settled
from consumers.inventory.policy import Policy
from consumers.inventory.shelf import Line, Move, Stock, moved, moves
from router.contract.amounts import amount_text
from router.contract.event import Event
from router.contract.lifecycle import contradicts_paid
from router.contract.order import ExpectedPayment, Order, OrderType


@dataclass(frozen=True)
class Noted:
    """A note with what it is about."""

    event_id: UUID
    order: OrderState | None
    payment: Payment | None
    note: Note


@dataclass(frozen=True)
class Moved:
    """A move of stock with what it came of."""

    event_id: UUID
    order_id: UUID
    cause: str
    move: Move


class Desk:
    """The state of everything a batch of messages touches, and how they change it."""

    def __init__(
        self,
        policy: Policy,
        now: datetime,
        clues: Mapping[UUID, UUID | None],
        payments: Iterable[Payment],
        orders: Iterable[OrderState],
        stock: Iterable[Stock],
    ) -> None:
        """Take over what was read."""
        self.policy = policy
        self.now = now
        self.clues = dict(clues)
        self.payments = {payment.id: payment for payment in payments}
        self.orders = {order.id: order for order in orders}
        self.stock = {article.id: article for article in stock}
        self.noted: list[Noted] = []
        self.moved: list[Moved] = []
        self._of_order: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self._waiting: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for payment in self.payments.values():
            self._index(payment)

    def apply(self, message: Event | Order) -> bool:
        """Apply a message; tell whether it changed or said anything."""
        noted = len(self.noted)
        if isinstance(message, Event):
            return self._pay(message) or len(self.noted) > noted
        order = self.orders[order_id(message.account, message.reference)]
        if message.type is OrderType.PLACED:
            self._place(order, message)
        else:
            self._cancel(order, message)
        self._record_moves(message, order)
        return len(self.noted) > noted

    def _cancel(self, order: OrderState, message: Order) -> None:
        self._take(message, cancel(order, self.policy))

    def _place(self, order: OrderState, message: Order) -> None:
        lines = _lines(order, message)
        if order.placed_at is not None:
            if not _repeats(order, lines, message):
                self._note(message, order, None, Note("placed otherwise", trouble=True))
            return
        seconds = message.time_to_live_seconds or self.policy.time_to_live_seconds
        known = replace(
            order,
            total=message.total,
            currency=message.currency,
            placed_at=self.now,
            expires_at=self.now + timedelta(seconds=seconds),
            lines=lines,
        )
        self._take(message, place(known, self.stock))
        for expected in message.recognized_by:
            self._expect(message, self.orders[order.id], expected)
        self._decide(message, order.id, was=False)

    def _expect(self, message: Order, order: OrderState, expected: ExpectedPayment) -> None:
        """Have payments lead to this order from now on, and those that wait for it."""
        for kind, text in ((REFERENCE, expected.reference), (ADDRESS, expected.address)):
            if text is not None:
                self._claim(message, order, kind, text)
        if expected.provider is not None:
            number = payment_id(order.account, expected.provider, expected.provider_reference, None)
            self._attach(message, order, self.payments[number])

    def _claim(self, message: Order, order: OrderState, kind: str, text: str) -> None:
        clue = clue_id(order.account, kind, text)
        holder = self.clues[clue]
        if holder is not None and not self._yields(kind, holder, order):
            facts = {kind: text, "order": self.orders[holder].reference}
            self._note(
                message, order, None, Note("recognized elsewhere", trouble=True, facts=facts)
            )
            return
        self.clues[clue] = order.id
        for number in sorted(self._waiting.pop(clue, ())):
            if self.payments[number].order_id is None:
                self._attach(message, order, self.payments[number])

    def _yields(self, kind: str, holder: UUID, order: OrderState) -> bool:
        """Tell whether a clue passes to another order: an address does, when its order is done."""
        if holder == order.id:
            return True
        return kind == ADDRESS and self.orders[holder].status != "reserved"

    def _attach(self, message: Order, order: OrderState, payment: Payment) -> None:
        if payment.order_id not in {None, order.id}:
            elsewhere = Note("recognized elsewhere", trouble=True, facts=_told(payment))
            self._note(message, order, payment, elsewhere)
            return
        attached = replace(payment, order_id=order.id)
        self._put(attached)
        if payment.status is not None:
            self._note(message, order, attached, Note("payment found", facts=_told(attached)))

    def _pay(self, event: Event) -> bool:
        known = self._payment_of(event)
        now = absorb(known, event)
        leads_to = known.order_id or self._lead(event)
        if leads_to is None:
            self._put(now)
            if now.status != known.status:
                self._note(event, None, now, Note("payment waiting", facts=_told(now)))
            return now != known
        order = self.orders[leads_to]
        was = self._settled(order)
        now = replace(now, order_id=leads_to)
        self._put(now)
        if now.status != known.status or now.amount != known.amount:
            self._remark(event, order, known, now, was=was)
        if contradicts_paid(known.status, event.type.status):
            note = Note("called off after paid", trouble=True, facts={"told": event.type.value})
            self._note(event, order, now, note)
        self._decide(event, order.id, was=was, taken_back=now.status == "refunded")
        self._record_moves(event, order)
        return now != known

    def _remark(
        self, event: Event, order: OrderState, before: Payment, after: Payment, *, was: bool
    ) -> None:
        """Say of a payment what is not said by what becomes of the order."""
        facts = _told(after)
        if after.paid and not before.paid and was:
            self._note(event, order, after, Note("paid twice", trouble=True, facts=facts))
        elif after.paid and not self._settled(order):
            what = "overpaid" if after.status == "overpaid" else "paid too little"
            self._note(event, order, after, Note(what, trouble=True, facts=facts))
        elif after.status in {"underpaid", "refunded"}:
            self._note(event, order, after, Note(after.status, facts=facts))
        elif after.status == "disputed":
            self._note(event, order, after, Note("disputed", trouble=True, facts=facts))

    def _decide(
        self, message: Event | Order, number: UUID, *, was: bool, taken_back: bool = False
    ) -> None:
        """Have an order follow its payments, where they say something else than before."""
        order = self.orders[number]
        payments = self._payments(order)
        if self._settled(order):
            if not was:
                self._take(message, pay(order, self.stock, self.policy))
        elif was and taken_back:
            self._take(message, refund(order, self.policy))
        elif payments and all(payment.ended for payment in payments):
            words = sorted({f"payment {payment.status}" for payment in payments})
            self._take(message, give_up(order, ", ".join(words)))

    def _take(self, message: Event | Order, change: Change) -> None:
        """Take over an order's next state, and what it means for the stock."""
        order, notes = change
        for move in moves(self.orders[order.id].lines, order.lines):
            self.stock[move.stock_id] = moved(self.stock[move.stock_id], move)
        self.orders[order.id] = order
        for note in notes:
            self._note(message, order, None, note)

    def _record_moves(self, message: Event | Order, before: OrderState) -> None:
        after = self.orders[before.id]
        for move in moves(before.lines, after.lines):
            self.moved.append(Moved(message.id, after.id, message.type.value, move))

    def _note(
        self, message: Event | Order, order: OrderState | None, payment: Payment | None, note: Note
    ) -> None:
        self.noted.append(Noted(message.id, order, payment, note))

    def _payment_of(self, event: Event) -> Payment:
        number = payment_id(
            event.account, event.provider, event.provider_reference, event.reference
        )
        return self.payments[number]

    def _lead(self, event: Event) -> UUID | None:
        """Return the order a payment's reference or address leads to."""
        for clue in clues_of(event):
            if self.clues[clue] is not None:
                return self.clues[clue]
        return None

    def _settled(self, order: OrderState) -> bool:
        return settled(order.total, order.currency, self._payments(order), self.policy)

    def _payments(self, order: OrderState) -> Sequence[Payment]:
        return [self.payments[number] for number in sorted(self._of_order[order.id])]

    def _put(self, payment: Payment) -> None:
        self.payments[payment.id] = payment
        self._index(payment)

    def _index(self, payment: Payment) -> None:
        if payment.order_id is not None:
            self._of_order[payment.order_id].add(payment.id)
        else:
            for clue in payment.clues:
                self._waiting[clue].add(payment.id)


def clues_of(event: Event) -> Sequence[UUID]:
    """Return by what the payment of an event may be recognized, besides its own id."""
    told = ((REFERENCE, event.reference), (ADDRESS, event.to_address))
    return [clue_id(event.account, kind, text) for kind, text in told if text is not None]


def _lines(order: OrderState, message: Order) -> tuple[Line, ...]:
    """Return an order's lines, one per article, nothing of them reserved."""
    wanted: defaultdict[UUID, int] = defaultdict(int)
    for line in message.lines or ():
        wanted[stock_id(order.account, line.sku)] += line.quantity
    return tuple(Line(order.id, article, wanted[article]) for article in sorted(wanted))


def _repeats(order: OrderState, lines: Sequence[Line], message: Order) -> bool:
    known = {line.stock_id: line.quantity for line in order.lines}
    told = {line.stock_id: line.quantity for line in lines}
    return known == told and (order.total, order.currency) == (message.total, message.currency)


def _told(payment: Payment) -> dict[str, str]:
    facts = {
        "provider": payment.provider,
        "payment": payment.provider_reference,
        "status": payment.status,
        "amount": None if payment.amount is None else amount_text(payment.amount),
        "currency": payment.currency,
    }
    return {name: text for name, text in facts.items() if text is not None}
