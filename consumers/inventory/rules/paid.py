"""Is the order paid? Pure."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from consumers.inventory.policy import Policy
from consumers.inventory.rules.amounts import money_text
from consumers.inventory.rules.exact import EXACT
from consumers.inventory.rules.standing import PaymentStanding


class PaidAnswer(StrEnum):
    """Whether an order is paid."""

    YES = "yes"
    NO = "no"
    CANNOT_COMPARE = "cannot compare"


class Bill(Struct, frozen=True):
    """What an order costs; None if its message has no total."""

    total: Decimal | None
    currency: str | None


class Worth(Struct, frozen=True):
    """A payment's amount in the order's currency, and its money that cannot be compared."""

    amount: Decimal
    unclear: frozenset[str] = frozenset()


_NOTHING = Worth(Decimal(0))


def is_paid(bill: Bill, payments: Sequence[PaymentStanding], policy: Policy) -> PaidAnswer:
    """Return whether the payments of an order suffice.

    A payment counts in full, or not at all once it was given back in full. The tolerance is
    applied once, to the sum.
    """
    if bill.total == 0:
        return PaidAnswer.YES
    counted = [each for each in payments if not each.waits]
    if bill.total is None:
        return _without_total(counted, policy)
    worths = [worth(each, bill, policy) for each in counted]
    sum_ = Decimal(0)
    for each in worths:
        sum_ = EXACT.add(sum_, each.amount)
    if sum_ >= EXACT.subtract(bill.total, policy.may_be_missing(bill.total)):
        return PaidAnswer.YES
    return PaidAnswer.CANNOT_COMPARE if any(each.unclear for each in worths) else PaidAnswer.NO


def _without_total(payments: Sequence[PaymentStanding], policy: Policy) -> PaidAnswer:
    there = [each for each in payments if each.has_money]
    seen = [each for each in there if each.paid and (each.amounts or each.unclear)]
    if policy.without_total == "trust" and seen:
        return PaidAnswer.YES
    return PaidAnswer.CANNOT_COMPARE if there else PaidAnswer.NO


def worth(payment: PaymentStanding, bill: Bill, policy: Policy) -> Worth:
    """Return what a payment contributes to an order with a total."""
    if payment.returned:
        return _NOTHING
    amount, unclear = Decimal(0), set(payment.unclear)
    unclear |= {f"claimed {money_text(each, c)}" for c, each in payment.claimed.items()}
    for currency, received in payment.amounts.items():
        value = _value(payment, currency, bill, policy)
        if value is None:
            unclear.add(money_text(received, currency))
        else:
            amount = EXACT.add(amount, value)
    if unclear and not payment.claimed and _price_met(payment, bill, policy):
        return Worth(max(amount, bill.total or amount))
    return Worth(amount, frozenset(unclear))


def _value(payment: PaymentStanding, currency: str, bill: Bill, policy: Policy) -> Decimal | None:
    """Return an amount's value in the order's currency, None if it cannot be compared.

    A conversion is that of the whole amount, and is useless for a part of it.
    """
    wanted = policy.unit(bill.currency or "")
    if policy.unit(currency) == wanted:
        return payment.amounts[currency]
    values = [
        each.value
        for (of, into), each in payment.conversions.items()
        if of == currency
        and policy.unit(into) == wanted
        and each.amount == payment.amounts[currency]
    ]
    return min(values, default=None)


def _price_met(payment: PaymentStanding, bill: Bill, policy: Policy) -> bool:
    """Return whether the gateway reports the order's price as paid in full.

    It counts only if the price that the gateway was given is comparable with the order's total
    and not below it; and not after a part of the money was reversed.
    """
    wanted = policy.unit(bill.currency or "")
    prices = [each.amount for each in payment.prices if policy.unit(each.currency) == wanted]
    enough = bool(prices) and min(prices) >= (bill.total or Decimal(0))
    return payment.met and enough and not payment.reversed
