"""The kinds of cases that belong to orders."""

from typing import Final

from consumers.runtime.cases.kind import CaseKind, Severity

_TRACE: Final = ("payrouter trace {reference}",)


def _deciding(*decisions: str) -> tuple[str, ...]:
    """Return the commands of a kind that these decisions settle; they only show what they do."""
    decide = "payrouter inventory decide {{reference}} {} --account={{account}} --reason=REASON"
    return (*_TRACE, *(decide.format(each) for each in decisions))


CANNOT_COMPARE: Final = CaseKind(
    "cannot-compare",
    Severity.TICKET,
    "Money came for an order, and cannot be compared with its total.",
    _deciding("accept", "refuse"),
)
PAID_TOO_LITTLE: Final = CaseKind(
    "paid-too-little",
    Severity.TICKET,
    "Less than an order's total came, and no more is expected.",
    _deciding("accept", "refuse"),
)
PAID_TWICE: Final = CaseKind(
    "paid-twice",
    Severity.TICKET,
    "An order would be paid without one of its payments.",
    _TRACE,
)
OVERPAID: Final = CaseKind(
    "overpaid",
    Severity.TICKET,
    "A payment was overpaid, and by policy does not count.",
    _deciding("accept", "refuse"),
)
NO_LONGER_PAID: Final = CaseKind(
    "no-longer-paid",
    Severity.PAGE,
    "An order's money was reversed: without it the order is not paid.",
    _deciding("accept", "return"),
)
CANCELLED_WITH_MONEY: Final = CaseKind(
    "cancelled-with-money",
    Severity.TICKET,
    "An order is cancelled, and money for it was not given back in full.",
    _deciding("accept"),
)
CHANGED_SINCE_DECISION: Final = CaseKind(
    "changed-since-decision",
    Severity.TICKET,
    "Money came, was reversed, or the order was cancelled, after an operator decided.",
    _deciding("accept", "refuse", "return"),
)
PARTIAL_REFUND: Final = CaseKind(
    "partial-refund",
    Severity.TICKET,
    "A part of an order's money was given back.",
    _TRACE,
)
DISPUTED: Final = CaseKind(
    "disputed",
    Severity.TICKET,
    "A payment of an order is disputed.",
    _TRACE,
)
OVERSOLD: Final = CaseKind(
    "oversold",
    Severity.TICKET,
    "An order is paid, and its stock is missing.",
    _deciding("refuse", "return"),
)
PLACED_OTHERWISE: Final = CaseKind(
    "placed-otherwise",
    Severity.TICKET,
    "An order was placed again with different content; the first content counts.",
    _TRACE,
)
RECOGNIZED_ELSEWHERE: Final = CaseKind(
    "recognized-elsewhere",
    Severity.TICKET,
    "An order names a payment, reference or address of another order.",
    _TRACE,
)
PAYMENT_WITHOUT_ORDER: Final = CaseKind(
    "payment-without-order",
    Severity.TICKET,
    "A payment has had no order for some time.",
    ("payrouter trace {provider_reference}",),
)

ORDER_KINDS: Final = (
    *(CANNOT_COMPARE, PAID_TOO_LITTLE, PAID_TWICE, OVERPAID, NO_LONGER_PAID),
    *(CANCELLED_WITH_MONEY, CHANGED_SINCE_DECISION, PARTIAL_REFUND, DISPUTED, OVERSOLD),
    *(PLACED_OTHERWISE, RECOGNIZED_ELSEWHERE),
)
"""Kinds of cases of an order, which are in the column `cases` of its row."""

KINDS: Final = (*ORDER_KINDS, PAYMENT_WITHOUT_ORDER)
"""All kinds of the inventory."""
