"""Applies messages in order to rows read from the store, in memory.

The caller reads the rows before and writes the changed ones after.
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
from consumers.inventory.orders import (
    Note,
    OrderChange,
    OrderState,
    cancel,
    give_up,
    pay,
    place,
    refund,
)
from consumers.inventory.payments import Payment, absorb, settled
from consumers.inventory.policy import Policy
from consumers.inventory.shelf import Move, OrderLineState, Stock, apply_move, moves
from router.contract.amounts import amount_text
from router.contract.event import Event
from router.contract.lifecycle import contradicts_paid
from router.contract.order import ExpectedPayment, Order, OrderType


@dataclass(frozen=True)
class RecordedNote:
    """A note with the event, order and payment it is about."""

    event_id: UUID
    order: OrderState | None
    payment: Payment | None
    note: Note


@dataclass(frozen=True)
class StockMovement:
    """A change of stock with the event and order that caused it."""

    event_id: UUID
    order_id: UUID
    cause: str
    move: Move


class BatchState:
    """Every clue, payment, order and article a batch of messages touches."""

    def __init__(
        self,
        policy: Policy,
        now: datetime,
        clues: Mapping[UUID, UUID | None],
        payments: Iterable[Payment],
        orders: Iterable[OrderState],
        stock: Iterable[Stock],
    ) -> None:
        """Start from the rows read from the store."""
        self.policy = policy
        self.now = now
        self.clues = dict(clues)
        self.payments = {payment.id: payment for payment in payments}
        self.orders = {order.id: order for order in orders}
        self.stock = {article.id: article for article in stock}
        self.notes: list[RecordedNote] = []
        self.movements: list[StockMovement] = []
        self._of_order: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self._waiting: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for payment in self.payments.values():
            self._index(payment)

    def apply(self, message: Event | Order) -> bool:
        """Apply a message; return whether it changed anything or left a note."""
        before = len(self.notes)
        if isinstance(message, Event):
            return self._pay(message) or len(self.notes) > before
        order = self.orders[order_id(message.account, message.reference)]
        if message.type is OrderType.PLACED:
            self._place(order, message)
        else:
            self._cancel(order, message)
        self._record_moves(message, order)
        return len(self.notes) > before

    def _cancel(self, order: OrderState, message: Order) -> None:
        self._change_order(message, cancel(order, self.policy))

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
        self._change_order(message, place(known, self.stock))
        for expected in message.recognized_by:
            self._recognize(message, self.orders[order.id], expected)
        self._follow_payments(message, order.id, was_settled=False)

    def _recognize(self, message: Order, order: OrderState, expected: ExpectedPayment) -> None:
        """Attach expected payments to this order: waiting ones now, others when they arrive."""
        for kind, text in ((REFERENCE, expected.reference), (ADDRESS, expected.address)):
            if text is not None:
                self._claim(message, order, kind, text)
        if expected.provider is not None:
            number = payment_id(order.account, expected.provider, expected.provider_reference, None)
            self._attach(message, order, self.payments[number])

    def _claim(self, message: Order, order: OrderState, kind: str, text: str) -> None:
        clue = clue_id(order.account, kind, text)
        holder = self.clues[clue]
        if holder is not None and not self._can_pass(kind, holder, order):
            facts = {kind: text, "order": self.orders[holder].reference}
            self._note(
                message, order, None, Note("recognized elsewhere", trouble=True, facts=facts)
            )
            return
        self.clues[clue] = order.id
        for number in sorted(self._waiting.pop(clue, ())):
            if self.payments[number].order_id is None:
                self._attach(message, order, self.payments[number])

    def _can_pass(self, kind: str, holder: UUID, order: OrderState) -> bool:
        """Return whether a clue may pass to `order`: an address may, once its order is done."""
        if holder == order.id:
            return True
        return kind == ADDRESS and self.orders[holder].status != "reserved"

    def _attach(self, message: Order, order: OrderState, payment: Payment) -> None:
        if payment.order_id not in {None, order.id}:
            elsewhere = Note("recognized elsewhere", trouble=True, facts=_payment_facts(payment))
            self._note(message, order, payment, elsewhere)
            return
        attached = replace(payment, order_id=order.id)
        self._store(attached)
        if payment.status is not None:
            self._note(
                message, order, attached, Note("payment found", facts=_payment_facts(attached))
            )

    def _pay(self, event: Event) -> bool:
        known = self._payment_of(event)
        now = absorb(known, event)
        leads_to = known.order_id or self._order_for(event)
        if leads_to is None:
            self._store(now)
            if now.status != known.status:
                self._note(event, None, now, Note("payment waiting", facts=_payment_facts(now)))
            return now != known
        order = self.orders[leads_to]
        was_settled = self._settled(order)
        now = replace(now, order_id=leads_to)
        self._store(now)
        if now.status != known.status or now.amount != known.amount:
            self._note_payment(event, order, known, now, was_settled=was_settled)
        if contradicts_paid(known.status, event.type.status):
            note = Note("called off after paid", trouble=True, facts={"reported": event.type.value})
            self._note(event, order, now, note)
        self._follow_payments(
            event, order.id, was_settled=was_settled, taken_back=now.status == "refunded"
        )
        self._record_moves(event, order)
        return now != known

    def _note_payment(
        self, event: Event, order: OrderState, before: Payment, after: Payment, *, was_settled: bool
    ) -> None:
        """Note changes of a payment that the order's own notes do not show."""
        facts = _payment_facts(after)
        if after.paid and not before.paid and was_settled:
            self._note(event, order, after, Note("paid twice", trouble=True, facts=facts))
        elif after.paid and not self._settled(order):
            what = "overpaid" if after.status == "overpaid" else "paid too little"
            self._note(event, order, after, Note(what, trouble=True, facts=facts))
        elif after.status in {"underpaid", "refunded"}:
            self._note(event, order, after, Note(after.status, facts=facts))
        elif after.status == "disputed":
            self._note(event, order, after, Note("disputed", trouble=True, facts=facts))

    def _follow_payments(
        self, message: Event | Order, number: UUID, *, was_settled: bool, taken_back: bool = False
    ) -> None:
        """Commit, return or release an order if its payments now require it."""
        order = self.orders[number]
        payments = self._payments(order)
        if self._settled(order):
            if not was_settled:
                self._change_order(message, pay(order, self.stock, self.policy))
        elif was_settled and taken_back:
            self._change_order(message, refund(order, self.policy))
        elif payments and all(payment.ended for payment in payments):
            reasons = sorted({f"payment {payment.status}" for payment in payments})
            self._change_order(message, give_up(order, ", ".join(reasons)))

    def _change_order(self, message: Event | Order, change: OrderChange) -> None:
        """Store an order's next state and apply its changes to the stock."""
        order, notes = change
        for move in moves(self.orders[order.id].lines, order.lines):
            self.stock[move.stock_id] = apply_move(self.stock[move.stock_id], move)
        self.orders[order.id] = order
        for note in notes:
            self._note(message, order, None, note)

    def _record_moves(self, message: Event | Order, before: OrderState) -> None:
        after = self.orders[before.id]
        for move in moves(before.lines, after.lines):
            self.movements.append(StockMovement(message.id, after.id, message.type.value, move))

    def _note(
        self, message: Event | Order, order: OrderState | None, payment: Payment | None, note: Note
    ) -> None:
        self.notes.append(RecordedNote(message.id, order, payment, note))

    def _payment_of(self, event: Event) -> Payment:
        number = payment_id(
            event.account, event.provider, event.provider_reference, event.reference
        )
        return self.payments[number]

    def _order_for(self, event: Event) -> UUID | None:
        """Return the id of the order recognized by the payment's reference or address."""
        for clue in clues_of(event):
            if self.clues[clue] is not None:
                return self.clues[clue]
        return None

    def _settled(self, order: OrderState) -> bool:
        return settled(order.total, order.currency, self._payments(order), self.policy)

    def _payments(self, order: OrderState) -> Sequence[Payment]:
        return [self.payments[number] for number in sorted(self._of_order[order.id])]

    def _store(self, payment: Payment) -> None:
        self.payments[payment.id] = payment
        self._index(payment)

    def _index(self, payment: Payment) -> None:
        if payment.order_id is not None:
            self._of_order[payment.order_id].add(payment.id)
        else:
            for clue in payment.clues:
                self._waiting[clue].add(payment.id)


def clues_of(event: Event) -> Sequence[UUID]:
    """Return the clues by which an event's payment may be recognized, besides its own id."""
    texts = ((REFERENCE, event.reference), (ADDRESS, event.to_address))
    return [clue_id(event.account, kind, text) for kind, text in texts if text is not None]


def _lines(order: OrderState, message: Order) -> tuple[OrderLineState, ...]:
    """Return an order's lines, one per article, none reserved."""
    quantities: defaultdict[UUID, int] = defaultdict(int)
    for line in message.lines or ():
        quantities[stock_id(order.account, line.sku)] += line.quantity
    return tuple(
        OrderLineState(order.id, article, quantities[article]) for article in sorted(quantities)
    )


def _repeats(order: OrderState, lines: Sequence[OrderLineState], message: Order) -> bool:
    known = {line.stock_id: line.quantity for line in order.lines}
    repeated = {line.stock_id: line.quantity for line in lines}
    return known == repeated and (order.total, order.currency) == (message.total, message.currency)


def _payment_facts(payment: Payment) -> dict[str, str]:
    facts = {
        "provider": payment.provider,
        "payment": payment.provider_reference,
        "status": payment.status,
        "amount": None if payment.amount is None else amount_text(payment.amount),
        "currency": payment.currency,
    }
    return {name: text for name, text in facts.items() if text is not None}
