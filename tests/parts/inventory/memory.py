"""An inventory in memory: batches are applied to rows as the store would return them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from msgspec.structs import replace

from consumers.inventory.identity import order_id, payment_id, stock_id
from consumers.inventory.policy import Policy
from consumers.inventory.rules.decision import OrderDecision, decision_column, decision_of
from consumers.inventory.rules.judgement import Judgement, judge
from consumers.inventory.rules.stored_facts import facts_column, facts_of
from consumers.inventory.rules.wants import Want, wanted
from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment, clues_of, new_payment
from consumers.inventory.state.recorded import ChangeCause, StockMovement
from consumers.inventory.state.shelf import Stock
from router.contract.event import Event
from router.contract.operator import Decision
from router.contract.order import Order
from tests.parts.inventory.shop import MOMENT

PLENTY = 10**6


@dataclass
class MemoryShop:
    """Rows of one merchant's inventory, with plenty of everything, at a fixed moment."""

    policy: Policy = field(default_factory=Policy)
    now: datetime = MOMENT
    clues: dict[UUID, UUID | None] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    orders: dict[UUID, OrderState] = field(default_factory=dict)
    stock: dict[UUID, Stock] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    movements: list[StockMovement] = field(default_factory=list)

    def apply(self, *batch: Event | Order) -> Sequence[bool]:
        """Apply one batch; return for each message whether it changed anything."""
        for message in batch:
            self._open(message)
        state = self.state()
        changed = [state.apply(message) for message in batch]
        self.keep(state)
        return changed

    def state(self) -> BatchState:
        """Return the rows as a batch reads them."""
        rows = (self.payments.values(), self.orders.values(), self.stock.values())
        return BatchState(self.policy, self.now, self.clues, *rows)

    def keep(self, state: BatchState) -> None:
        """Keep the rows of a batch, as they would be read again from the store."""
        self.clues, self.stock = state.clues, state.stock
        self.payments = {
            number: replace(each, facts=facts_of(facts_column(each.facts)))
            for number, each in state.payments.items()
        }
        self.orders = {
            number: replace(each, decision=decision_of(decision_column(each.decision)))
            for number, each in state.orders.items()
        }
        self.notes += [each.note.what for each in state.notes]
        self.movements += state.movements

    def pass_time(self, seconds: float) -> None:
        """Apply what changes by the passing of so many seconds."""
        self.now += timedelta(seconds=seconds)
        state = self.state()
        for order in self.orders.values():
            if order.due_at is not None and order.due_at <= self.now:
                state.pass_time(order.id)
        self.keep(state)

    def decide(self, verb: Decision, seconds: float = 0, reference: str = "A-1") -> None:
        """Decide about an order as it is now, `seconds` later."""
        now = self.judgement(reference)
        made = OrderDecision(
            verb,
            self.now + timedelta(seconds=seconds),
            uuid4(),
            now.shown,
            saw_cancelled=self.order(reference).cancelled_at is not None,
            saw_refunded=now.refunded,
        )
        self.apply_decision(made, reference)

    def apply_decision(self, decision: OrderDecision, reference: str = "A-1") -> None:
        """Apply a decision about an order."""
        state = self.state()
        cause = ChangeCause(decision.event_id, "order.decided")
        state.decide(cause, self.order(reference).id, decision)
        self.keep(state)

    def order(self, reference: str = "A-1") -> OrderState:
        """Return an order."""
        return self.orders[order_id("shop-eu", reference)]

    def status(self, reference: str = "A-1") -> str:
        """Return the status of an order."""
        return self.order(reference).status

    def judgement(self, reference: str = "A-1") -> Judgement:
        """Judge an order by its payments."""
        order = self.order(reference)
        own = [each for each in self.payments.values() if each.order_id == order.id]
        return judge(order, own, self.policy)

    def want(self, reference: str = "A-1") -> Want:
        """Return what an order wants."""
        order = self.order(reference)
        return wanted(order, self.judgement(reference), self.policy, self.now).want

    def cases(self, reference: str = "A-1") -> list[str]:
        """Return the kinds of the cases of an order."""
        return sorted(self.order(reference).cases or {})

    def _open(self, message: Event | Order) -> None:
        account, reference = message.account, message.reference
        if isinstance(message, Event):
            self.payments.setdefault(new_payment(message).id, new_payment(message))
            for clue in clues_of(account, reference, message.to_address):
                self.clues.setdefault(clue, None)
            return
        number = order_id(account, message.reference)
        self.orders.setdefault(number, OrderState(number, account, message.reference))
        for expected in message.recognized_by:
            for clue in clues_of(account, expected.reference, expected.address):
                self.clues.setdefault(clue, None)
            if expected.provider is not None:
                gateway, named = expected.provider, expected.provider_reference
                key = payment_id(account, gateway, named, None)
                self.payments.setdefault(key, Payment(key, account, gateway, named))
        for line in message.lines or ():
            article = stock_id(account, line.sku)
            self.stock.setdefault(article, Stock(article, account, line.sku, on_hand=PLENTY))
