"""What an order wants, from facts alone; what it gets depends on the stock. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from consumers.inventory.policy import Policy
from consumers.inventory.rules.decision import OrderDecision
from consumers.inventory.rules.judgement import Judgement
from consumers.inventory.rules.paid import PaidAnswer
from consumers.inventory.state.order_state import OrderState
from router.contract.operator import Decision


class Want(StrEnum):
    """What an order wants of the stock."""

    NOTHING = "nothing"
    RESERVATION = "reservation"
    GOODS = "goods"


class Wish(Struct, frozen=True):
    """What an order wants, and why it wants nothing.

    `status` is the status of an unsold order that wants nothing. `returns` is whether a sold order
    gives its stock back; else it only wants no more.
    """

    want: Want
    reason: str = ""
    status: str = "released"
    returns: bool = False


_GOODS = Wish(Want.GOODS)
_RESERVATION = Wish(Want.RESERVATION)


def wanted(order: OrderState, judgement: Judgement, policy: Policy, now: datetime) -> Wish:
    """Return what a placed order wants at a moment."""
    if _is_called_off(order):
        return _cancelled(judgement, policy)
    if order.decision is not None:
        return _decided(order.decision, judgement, policy)
    if judgement.answer is PaidAnswer.YES:
        return _GOODS
    return _unpaid(judgement, policy, over=is_over(order, judgement, policy, now))


def _unpaid(judgement: Judgement, policy: Policy, *, over: bool) -> Wish:
    if judgement.refunded:
        return _refunded(policy)
    if judgement.ended:
        ends = sorted({f"payment {each.end}" for each in judgement.payments})
        return Wish(Want.NOTHING, ", ".join(ends))
    if over:
        return Wish(Want.NOTHING, "time over", "lapsed")
    return _RESERVATION


def holds_until(order: OrderState, judgement: Judgement, policy: Policy) -> datetime | None:
    """Return when the reservation of an unpaid order lapses.

    A payment that is open or cannot be compared extends the time to live once.
    """
    if order.expires_at is None:
        return None
    extended = judgement.open or judgement.answer is PaidAnswer.CANNOT_COMPARE
    return order.expires_at + timedelta(seconds=policy.hold_seconds if extended else 0)


def is_over(order: OrderState, judgement: Judgement, policy: Policy, now: datetime) -> bool:
    """Return whether an unpaid order has expired."""
    until = holds_until(order, judgement, policy)
    return until is not None and now >= until


def due_at(
    order: OrderState, judgement: Judgement, policy: Policy, now: datetime
) -> datetime | None:
    """Return when the passing of time changes an order next, None if never.

    Its reservation lapses, or a payment that is open for too long becomes a case.
    """
    until = holds_until(order, judgement, policy)
    waits = order.status == "reserved" or (judgement.open and judgement.with_money)
    return until if until is not None and until > now and waits else None


def _is_called_off(order: OrderState) -> bool:
    """Return whether the platform cancelled the order, and no operator has decided since."""
    decided = order.decision is not None and order.decision.saw_cancelled
    return order.cancelled_at is not None and not decided


def _cancelled(judgement: Judgement, policy: Policy) -> Wish:
    if judgement.answer is PaidAnswer.YES and policy.paid_after_cancelled == "take":
        return _GOODS
    returns = policy.cancelled_after_paid == "return"
    return Wish(Want.NOTHING, "order cancelled", "cancelled", returns)


def _decided(decision: OrderDecision, judgement: Judgement, policy: Policy) -> Wish:
    """Return what a decision makes of an order; a full refund after it ends an acceptance."""
    verb = decision.verb
    if verb is Decision.ACCEPT:
        ended = judgement.refunded and not decision.saw_refunded
        return _refunded(policy) if ended else _GOODS
    if verb is Decision.RETURN:
        return Wish(Want.NOTHING, f"operator: {verb}", status="returned", returns=True)
    return Wish(Want.NOTHING, f"operator: {verb}")


def _refunded(policy: Policy) -> Wish:
    return Wish(Want.NOTHING, "payment refunded", returns=policy.refunded == "return")
