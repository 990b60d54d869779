"""The cases that hold for an order, from its facts and its stock. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from consumers.inventory import cases
from consumers.inventory.policy import Policy
from consumers.inventory.rules.amounts import GivenBack, money_text
from consumers.inventory.rules.judgement import Judgement
from consumers.inventory.rules.paid import PaidAnswer
from consumers.inventory.rules.standing import PaymentStanding, amounts_text
from consumers.inventory.rules.wants import is_over
from consumers.inventory.state.order_state import OrderState
from consumers.runtime.cases.finding import Finding
from consumers.runtime.cases.kind import CaseKind


def findings(
    order: OrderState, judgement: Judgement, policy: Policy, now: datetime
) -> Sequence[Finding]:
    """Return the cases that hold for a placed order, except those of its stock."""
    found = [*_given_back(order, judgement), *_conflicts(order)]
    kind = _of_payment(order, judgement, policy, now)
    if kind is None:
        return found
    facts = {"total": total_text(order), "received": came_text(judgement.with_money)}
    return [_finding(kind, facts), *found]


def _of_payment(
    order: OrderState, judgement: Judgement, policy: Policy, now: datetime
) -> CaseKind | None:
    """Return the kind for an order that is not simply paid or unpaid.

    A decision settles it, until more money comes.
    """
    if order.decision is not None:
        changed = order.decision.shown != judgement.shown
        return cases.CHANGED_SINCE_DECISION if changed else None
    if order.cancelled_at is not None:
        return cases.CANCELLED_WITH_MONEY if judgement.with_money else None
    return _of_answer(order, judgement, policy, now)


def _of_answer(
    order: OrderState, judgement: Judgement, policy: Policy, now: datetime
) -> CaseKind | None:
    """Return the kind for an order without decision."""
    if judgement.answer is PaidAnswer.YES:
        return cases.PAID_TWICE if judgement.twice else None
    if judgement.before_reversals is PaidAnswer.YES:
        return cases.NO_LONGER_PAID
    if any(each.waits for each in judgement.with_money):
        return cases.OVERPAID
    if judgement.answer is PaidAnswer.CANNOT_COMPARE:
        return cases.CANNOT_COMPARE
    if not judgement.with_money or judgement.given_back:
        return None
    waits = judgement.open and not is_over(order, judgement, policy, now)
    return None if waits else cases.PAID_TOO_LITTLE


def _given_back(order: OrderState, judgement: Judgement) -> Iterator[Finding]:
    partial = judgement.given_back and bool(judgement.with_money)
    disputed_any = any(each.disputed for each in judgement.payments)
    if not partial and not disputed_any:
        return
    facts = {"total": total_text(order), "received": came_text(judgement.payments)}
    if partial:
        refunded = back_text([each.refunded for each in judgement.payments])
        yield _finding(cases.PARTIAL_REFUND, {**facts, "refunded": refunded})
    if disputed_any:
        disputed = back_text([each.disputed for each in judgement.payments])
        yield _finding(cases.DISPUTED, {**facts, "disputed": disputed})


def _conflicts(order: OrderState) -> Iterator[Finding]:
    for name, texts in sorted(order.conflicts.items()):
        yield Finding(name, {"what": "; ".join(sorted(texts))})


def _finding(kind: CaseKind, facts: Mapping[str, str]) -> Finding:
    return Finding(kind.name, {name: text for name, text in facts.items() if text})


def total_text(order: OrderState) -> str:
    """Return an order's total, empty if its message has none."""
    return "" if order.total is None else money_text(order.total, order.currency or "")


def came_text(payments: Sequence[PaymentStanding]) -> str:
    """Return the money of payments, less what was reversed: `30 USDT, 1 BTC claimed`."""
    seen = amounts_text(each.amounts for each in payments)
    claimed = amounts_text(each.claimed for each in payments)
    unclear = sorted(text for each in payments for text in each.unclear)
    return ", ".join(each for each in (seen, claimed and f"{claimed} claimed", *unclear) if each)


def back_text(amounts: Sequence[GivenBack]) -> str:
    """Return what was given back: `10 USDT, an unknown amount`."""
    known = amounts_text(each.amounts for each in amounts)
    unknown = "an unknown amount" if any(each.everything for each in amounts) else ""
    return ", ".join(each for each in (known, unknown) if each)
