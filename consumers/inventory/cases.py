"""The kinds of cases that belong to orders."""

from typing import Final

from consumers.runtime.cases.kind import CaseKind, Severity

CANNOT_COMPARE: Final = CaseKind(
    "cannot-compare",
    Severity.TICKET,
    "Money came for an order, and cannot be compared with its total",
)
PAID_TOO_LITTLE: Final = CaseKind(
    "paid-too-little",
    Severity.TICKET,
    "Less than an order's total came, and no more is expected",
)
PAID_TWICE: Final = CaseKind(
    "paid-twice",
    Severity.TICKET,
    "An order would be paid without one of its payments",
)
OVERPAID: Final = CaseKind(
    "overpaid",
    Severity.TICKET,
    "A payment was overpaid, and by policy does not count",
)
NO_LONGER_PAID: Final = CaseKind(
    "no-longer-paid",
    Severity.PAGE,
    "An order's money was reversed: without it the order is not paid",
)
CANCELLED_WITH_MONEY: Final = CaseKind(
    "cancelled-with-money",
    Severity.TICKET,
    "An order is cancelled, and money for it was not given back in full",
)
CHANGED_SINCE_DECISION: Final = CaseKind(
    "changed-since-decision",
    Severity.TICKET,
    "Money came, was reversed, or the order was cancelled, after an operator decided",
)
PARTIAL_REFUND: Final = CaseKind(
    "partial-refund",
    Severity.TICKET,
    "A part of an order's money was given back",
)
DISPUTED: Final = CaseKind(
    "disputed",
    Severity.TICKET,
    "A payment of an order is disputed",
)
OVERSOLD: Final = CaseKind(
    "oversold",
    Severity.TICKET,
    "An order is paid, and its stock is missing",
)
PLACED_OTHERWISE: Final = CaseKind(
    "placed-otherwise",
    Severity.TICKET,
    "An order was placed again with different content; the first content counts",
)
RECOGNIZED_ELSEWHERE: Final = CaseKind(
    "recognized-elsewhere",
    Severity.TICKET,
    "An order names a payment, reference or address of another order",
)
PAYMENT_WITHOUT_ORDER: Final = CaseKind(
    "payment-without-order",
    Severity.TICKET,
    "A payment has had no order for some time",
)

KINDS: Final = (
    *(CANNOT_COMPARE, PAID_TOO_LITTLE, PAID_TWICE, OVERPAID, NO_LONGER_PAID),
    *(CANCELLED_WITH_MONEY, CHANGED_SINCE_DECISION, PARTIAL_REFUND, DISPUTED, OVERSOLD),
    *(PLACED_OTHERWISE, RECOGNIZED_ELSEWHERE, PAYMENT_WITHOUT_ORDER),
)
"""All kinds of the inventory. All but the last are in the column `cases` of `orders`."""
