"""Applies messages in order to rows read from the store, in memory.

The caller reads the rows before and writes the changed ones after.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from consumers.inventory.cases import PLACED_OTHERWISE, RECOGNIZED_ELSEWHERE
from consumers.inventory.identity import ADDRESS, REFERENCE, clue_id, lapse_id, order_id, payment_id
from consumers.inventory.policy import Policy
from consumers.inventory.rules.decision import OrderDecision, decision_in, later
from consumers.inventory.rules.judgement import Judgement, judge
from consumers.inventory.rules.wants import Want, Wish, wanted
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note, OrderChange, follow
from consumers.inventory.state.payments import Payment, absorb, clues_of, payment_of
from consumers.inventory.state.placed import content_text, lines_of, repeats, with_conflict
from consumers.inventory.state.recorded import ChangeCause, RecordedNote, StockMovement
from consumers.inventory.state.review import case_notes, payment_facts, payment_notes, reviewed
from consumers.inventory.state.shelf import Stock, apply_move, moves
from router.contract.amounts import amount_text
from router.contract.event import Event
from router.contract.order import ExpectedPayment, Order, OrderType


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
        cause = ChangeCause(message.id, message.type.value)
        if isinstance(message, Event):
            return self._pay(cause, message) or len(self.notes) > before
        order = self.orders[order_id(message.account, message.reference)]
        if message.type is OrderType.PLACED:
            self._place(cause, order, message)
        elif message.type is OrderType.CANCELLED:
            self._cancel(cause, order, message)
        else:
            self.decide(cause, order.id, decision_in(message))
            return True
        self._record_moves(cause, order)
        return len(self.notes) > before

    def decide(self, cause: ChangeCause, number: UUID, decision: OrderDecision) -> None:
        """Add an operator's decision to the facts of an order."""
        order = self.orders[number]
        decided = replace(order, decision=later(order.decision, decision))
        self._change_order(cause, (decided, [_decided(decision, decided.decision)]))
        self._settle(cause, number)
        self._record_moves(cause, order)

    def pass_time(self, number: UUID) -> None:
        """Apply what the passing of time changes about an order."""
        order = self.orders[number]
        cause = ChangeCause(lapse_id(number, self.now), "lapse", is_message=False)
        self._settle(cause, number)
        self._record_moves(cause, order)

    def _place(self, cause: ChangeCause, order: OrderState, message: Order) -> None:
        lines = lines_of(order, message)
        if order.placed_at is not None:
            if not repeats(order, lines, message):
                self._add_conflict(order.id, PLACED_OTHERWISE.name, content_text(message))
                self._review(cause, order.id, self._judgement(order))
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
        self._change_order(cause, (known, [_placed(known)]))
        if known.cancelled_at is None:
            self._change_order(cause, follow(known, Wish(Want.RESERVATION), self.stock))
        for expected in message.recognized_by:
            self._recognize(cause, order.id, expected)
        self._settle(cause, order.id)

    def _cancel(self, cause: ChangeCause, order: OrderState, message: Order) -> None:
        if order.cancelled_at is not None:
            return
        status = "cancelled" if order.placed_at is None else order.status
        known = replace(order, status=status, cancelled_at=message.at or self.now)
        self._change_order(cause, (known, [Note("cancelled")]))
        self._settle(cause, order.id)

    def _recognize(self, cause: ChangeCause, number: UUID, expected: ExpectedPayment) -> None:
        """Attach expected payments to this order: waiting ones now, others when they arrive."""
        for kind, text in ((REFERENCE, expected.reference), (ADDRESS, expected.address)):
            if text is not None:
                self._claim(cause, number, kind, text)
        if expected.provider is not None:
            account, reference = self.orders[number].account, expected.provider_reference
            named = payment_id(account, expected.provider, reference, None)
            self._attach(cause, number, self.payments[named])

    def _claim(self, cause: ChangeCause, number: UUID, kind: str, text: str) -> None:
        clue = clue_id(self.orders[number].account, kind, text)
        holder = self.clues[clue]
        if holder is not None and not self._can_pass(kind, holder, number):
            what = f"{kind} {text} of order {self.orders[holder].reference}"
            self._add_conflict(number, RECOGNIZED_ELSEWHERE.name, what)
            return
        self.clues[clue] = number
        for waiting in sorted(self._waiting.pop(clue, ())):
            if self.payments[waiting].order_id is None:
                self._attach(cause, number, self.payments[waiting])

    def _can_pass(self, kind: str, holder: UUID, number: UUID) -> bool:
        """Return whether a clue may pass to an order: an address may, once its order is done."""
        if holder == number:
            return True
        return kind == ADDRESS and self.orders[holder].status != "reserved"

    def _attach(self, cause: ChangeCause, number: UUID, payment: Payment) -> None:
        if payment.order_id not in {None, number}:
            what = f"payment {payment.provider} {payment.provider_reference}"
            self._add_conflict(number, RECOGNIZED_ELSEWHERE.name, what)
            return
        attached = replace(payment, order_id=number)
        self._store(attached)
        if payment.facts.statuses:
            found = Note("payment found", facts=payment_facts(attached))
            self._note(cause, self.orders[number], attached, found)

    def _pay(self, cause: ChangeCause, event: Event) -> bool:
        known = self.payments[payment_of(event)]
        now = absorb(known, event)
        number = known.order_id or self._order_for(event)
        now = replace(now, order_id=number)
        if now == known:
            return False
        self._store(now)
        order = None if number is None else self.orders[number]
        for note in payment_notes(known, now, event):
            self._note(cause, order, now, note)
        if order is not None:
            self._settle(cause, order.id)
            self._record_moves(cause, order)
        return True

    def _settle(self, cause: ChangeCause, number: UUID) -> None:
        """Give a placed order what it wants now, and review its cases."""
        order = self.orders[number]
        if order.placed_at is None:
            return
        judgement = self._judgement(order)
        wish = wanted(order, judgement, self.policy, self.now)
        self._change_order(cause, follow(order, wish, self.stock))
        self._review(cause, number, judgement)

    def _review(self, cause: ChangeCause, number: UUID, judgement: Judgement) -> None:
        order = self.orders[number]
        now = reviewed(order, judgement, self.policy, self.now)
        self._change_order(cause, (now, case_notes(order.cases, now.cases)))

    def _change_order(self, cause: ChangeCause, change: OrderChange) -> None:
        """Store an order's next state and apply its changes to the stock."""
        order, notes = change
        for move in moves(self.orders[order.id].lines, order.lines):
            self.stock[move.stock_id] = apply_move(self.stock[move.stock_id], move)
        self.orders[order.id] = order
        for note in notes:
            self._note(cause, order, None, note)

    def _record_moves(self, cause: ChangeCause, before: OrderState) -> None:
        after = self.orders[before.id]
        for move in moves(before.lines, after.lines):
            self.movements.append(StockMovement(cause, after.id, move))

    def _add_conflict(self, number: UUID, kind: str, text: str) -> None:
        self.orders[number] = with_conflict(self.orders[number], kind, text)

    def _note(
        self, cause: ChangeCause, order: OrderState | None, payment: Payment | None, note: Note
    ) -> None:
        self.notes.append(RecordedNote(cause, order, payment, note))

    def _order_for(self, event: Event) -> UUID | None:
        """Return the id of the order recognized by the payment's reference or address."""
        for clue in clues_of(event.account, event.reference, event.to_address):
            if self.clues[clue] is not None:
                return self.clues[clue]
        return None

    def _judgement(self, order: OrderState) -> Judgement:
        own = [self.payments[number] for number in self._of_order[order.id]]
        return judge(order, own, self.policy)

    def _store(self, payment: Payment) -> None:
        self.payments[payment.id] = payment
        self._index(payment)

    def _index(self, payment: Payment) -> None:
        if payment.order_id is not None:
            self._of_order[payment.order_id].add(payment.id)
        else:
            for clue in payment.clues:
                self._waiting[clue].add(payment.id)


def _decided(decision: OrderDecision, holds: OrderDecision | None) -> Note:
    """Return the note of a decision: who decided what, when and why, and if a later one holds."""
    facts = {
        "decision": decision.verb.value,
        "by": decision.by,
        "reason": decision.reason,
        "decided": decision.at.astimezone(UTC).isoformat(),
        "replaced by": "" if holds is None or holds == decision else str(holds.event_id),
    }
    return Note("decided", facts={name: text for name, text in facts.items() if text})


def _placed(order: OrderState) -> Note:
    facts = {}
    if order.total is not None:
        facts = {"total": amount_text(order.total), "currency": order.currency or ""}
    if order.cancelled_at is not None:
        facts["was"] = "cancelled before"
    return Note("placed", facts=facts)
