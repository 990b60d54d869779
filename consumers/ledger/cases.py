"""The kinds of cases of a payment or payout; they are found with its facts (see `facts.findings`).

Their names are keys of the column `cases` of `position`.
"""

from typing import Final

from consumers.runtime.cases.kind import CaseKind, Severity

_TRACE: Final = ("payrouter trace {reference}",)

_RECORD: Final = (
    *_TRACE,
    "payrouter ledger record {provider_reference} --account {account} --provider {provider}",
)

AMOUNT_UNKNOWN = CaseKind(
    "amount-unknown",
    Severity.TICKET,
    "The gateway reports that money moved, but not how much.",
    _RECORD,
)

AMOUNT_LOWERED = CaseKind(
    "amount-lowered",
    Severity.TICKET,
    "The gateway's last report is lower than an earlier one; the highest amount is booked.",
    _RECORD,
)

OTHER_CURRENCY = CaseKind(
    "other-currency",
    Severity.TICKET,
    "Known money was reported again in another currency; the first currency is booked.",
    _RECORD,
)

OTHER_NETWORK = CaseKind(
    "other-network",
    Severity.TICKET,
    "Known money was reported again on another network; the first network is booked.",
    _TRACE,
)

BACK_EXCEEDS_OUT = CaseKind(
    "back-exceeds-out",
    Severity.TICKET,
    "More came back than went out before; only what went out is booked as returned.",
    _TRACE,
)

OUT_EXCEEDS_IN = CaseKind(
    "out-exceeds-in",
    Severity.TICKET,
    "More was refunded or disputed than was received; it is booked as reported.",
    _TRACE,
)

DIFFERS_FROM_OPERATOR = CaseKind(
    "differs-from-operator",
    Severity.TICKET,
    "The gateway's amount is not the one that an operator recorded; the operator's is booked.",
    _RECORD,
)

CALLED_OFF_AFTER_PAID = CaseKind(
    "called-off-after-paid",
    Severity.TICKET,
    "A paid payment or payout was later reported as not paid; the books do not change.",
    _TRACE,
)

CLAIM_ABOVE_SEEN = CaseKind(
    "claim-above-seen",
    Severity.TICKET,
    "Less was seen on chain than the gateway claimed; what was seen is booked.",
    _TRACE,
)

CLAIM_NOT_SEEN = CaseKind(
    "claim-not-seen",
    Severity.TICKET,
    "The gateway claimed an amount that has not been seen on chain for three days.",
    ("payrouter trace {provider_reference}",),
)

POSITION_KINDS: tuple[CaseKind, ...] = (
    AMOUNT_UNKNOWN,
    AMOUNT_LOWERED,
    OTHER_CURRENCY,
    OTHER_NETWORK,
    BACK_EXCEEDS_OUT,
    OUT_EXCEEDS_IN,
    DIFFERS_FROM_OPERATOR,
    CALLED_OFF_AFTER_PAID,
    CLAIM_ABOVE_SEEN,
)
"""Kinds that hold by a position's facts; they are in the column `cases` of its row."""

KINDS: tuple[CaseKind, ...] = (*POSITION_KINDS, CLAIM_NOT_SEEN)
"""Every kind of the ledger."""


def log_event(kind: str) -> str:
    """Return the name of the log event for a case that opens."""
    return kind.replace("-", "_")
