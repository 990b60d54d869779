"""Facts of an order that an operator decides about, and the effect of a decision. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from consumers.inventory.policy import Policy
from consumers.inventory.rules.judgement import Judgement, judge
from consumers.inventory.rules.stored_facts import facts_column
from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment
from consumers.inventory.state.shelf import Stock
from router.contract.operator import Decided, Decision
from router.contract.order import Order, OrderType


@dataclass(frozen=True)
class WaitingDecision:
    """A decision that is recorded, and that the consumer has not applied yet."""

    event_id: UUID
    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class OrderFacts:
    """An order with everything that a decision about it depends on, read at `now`."""

    order: OrderState
    payments: Sequence[Payment]
    stock: Sequence[Stock]
    waiting: Sequence[WaitingDecision]
    policy: Policy
    now: datetime

    @property
    def judgement(self) -> Judgement:
        """The order judged by its payments."""
        return judge(self.order, self.payments, self.policy)

    @property
    def version(self) -> str:
        """Digest of what is shown: equal as long as the order and its payments are unchanged.

        It covers decisions that are not applied yet, so that of two operators who were shown the
        same order the second is refused.
        """
        order, decision = self.order, self.order.decision
        lines = [
            [str(each.stock_id), each.quantity, each.reserved, each.committed, each.oversold]
            for each in sorted(order.lines, key=lambda line: line.stock_id)
        ]
        facts = [
            *(self.judgement.shown, order.status, lines, order.conflicts),
            None if decision is None else str(decision.event_id),
            sorted(str(each.event_id) for each in self.waiting),
            sorted((str(each.id), facts_column(each.facts)) for each in self.payments),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def message(self, decision: Decision, by: str, reason: str) -> Order:
        """Return the `order.decided` with a new id; later than every decision known."""
        known = [] if self.order.decision is None else [self.order.decision.at]
        latest = max([self.now, *known, *(each.at for each in self.waiting)])
        judgement = self.judgement
        return Order(
            id=uuid4(),
            type=OrderType.DECIDED,
            account=self.order.account,
            reference=self.order.reference,
            at=latest + timedelta(microseconds=len(self.waiting) + 1),
            decided=Decided(
                decision=decision,
                by=by,
                reason=reason,
                shown=judgement.shown,
                saw_cancelled=self.order.cancelled_at is not None,
                saw_refunded=judgement.refunded,
            ),
        )

    def effect_of(self, message: Order) -> "DecisionEffect":
        """Return what a decision would change, applied to a copy by the consumer's own code."""
        state = BatchState(self.policy, self.now, {}, self.payments, [self.order], self.stock)
        state.apply(message)
        after = state.orders[self.order.id]
        skus = {each.id: each.sku for each in self.stock}
        known, now = set(self.order.cases or {}), set(after.cases or {})
        return DecisionEffect(
            status=after.status,
            changes_status=after.status != self.order.status,
            stock={
                skus[each.move.stock_id]: {
                    "reserved": each.move.reserved,
                    "sold": each.move.committed,
                    "oversold": each.move.oversold,
                }
                for each in state.movements
            },
            opens=sorted(now - known),
            closes=sorted(known - now),
            outcomes=[each.note.outcome for each in state.notes if each.note.outcome],
        )


@dataclass(frozen=True)
class DecisionEffect:
    """What a decision changes; `stock` has the changes of each article's quantities by name."""

    status: str
    changes_status: bool
    stock: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    opens: Sequence[str] = ()
    closes: Sequence[str] = ()
    outcomes: Sequence[str] = ()
