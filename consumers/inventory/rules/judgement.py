"""Everything that the facts of an order and of its payments say about it. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from consumers.inventory.policy import Policy
from consumers.inventory.rules.facts import PaymentFacts, TransferKind
from consumers.inventory.rules.paid import Bill, PaidAnswer, is_paid
from consumers.inventory.rules.standing import PaymentStanding, standing
from consumers.inventory.rules.stored_facts import facts_column
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment


class Judgement(Struct, frozen=True):
    """Whether an order is paid, and by which payments.

    `before_reversals` is the answer as if nothing had been reversed. `twice` is whether it would
    be paid without one of its payments. `came` has the facts of the payments by their ids.
    """

    answer: PaidAnswer
    before_reversals: PaidAnswer
    twice: bool
    payments: Sequence[PaymentStanding]
    cancelled: bool
    came: Mapping[UUID, PaymentFacts]

    @property
    def shown(self) -> str:
        """Digest of what came and of whether the order was cancelled.

        An operator's decision names the one that it is about.
        """
        came = {str(number): _came(facts) for number, facts in self.came.items()}
        facts = [self.cancelled, sorted((number, rows) for number, rows in came.items() if rows)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    @property
    def with_money(self) -> Sequence[PaymentStanding]:
        """Payments whose money came and was not given back in full."""
        return [each for each in self.payments if each.has_money]

    @property
    def given_back(self) -> bool:
        """Whether any money was refunded."""
        return any(each.refunded for each in self.payments)

    @property
    def open(self) -> bool:
        """Whether the gateway of some payment still expects money."""
        return any(each.open for each in self.payments)

    @property
    def ended(self) -> bool:
        """Whether there are payments, and all of them have ended."""
        return bool(self.payments) and all(each.ended for each in self.payments)

    @property
    def refunded(self) -> bool:
        """Whether all money that came was given back."""
        return self.ended and any(each.returned for each in self.payments) and not self.with_money


def judge(order: OrderState, payments: Iterable[Payment], policy: Policy) -> Judgement:
    """Judge an order by its payments."""
    bill = Bill(order.total, order.currency)
    ordered = sorted(payments, key=lambda each: each.id.int)
    standings = [each.standing(policy) for each in ordered]
    answer = is_paid(bill, standings, policy)
    came = {each.id: each.facts for each in ordered}
    return Judgement(
        answer=answer,
        before_reversals=_before_reversals(answer, bill, list(came.values()), policy),
        twice=answer is PaidAnswer.YES and _twice(bill, standings, policy),
        payments=standings,
        cancelled=order.cancelled_at is not None,
        came=came,
    )


def _before_reversals(
    answer: PaidAnswer, bill: Bill, facts: Sequence[PaymentFacts], policy: Policy
) -> PaidAnswer:
    if not any("reversed" in each.statuses for each in facts):
        return answer
    return is_paid(bill, [standing(each, policy, reversals=False) for each in facts], policy)


def _twice(bill: Bill, payments: Sequence[PaymentStanding], policy: Policy) -> bool:
    there = [each for each in payments if each.has_money]
    if bill.total == 0:
        return bool(there)
    if len(there) <= 1:
        return False
    without = ([each for each in there if each is not left_out] for left_out in there)
    return any(is_paid(bill, rest, policy) is PaidAnswer.YES for rest in without)


def _came(facts: PaymentFacts) -> list[list[object]]:
    """Return the money received and reversed, without moments; operators' amounts last."""
    column, kinds = facts_column(facts), {TransferKind.RECEIVED, TransferKind.REVERSED}
    rows = [row[:-1] for row in column.get("money", ()) if row[0] in kinds]
    stated = [row[:-1] for row in column.get("stated", ()) if row[0] in kinds]
    return [*rows, *(["stated", *row] for row in stated)]
