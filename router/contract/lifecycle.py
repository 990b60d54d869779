"""Table of the allowed status changes of a payment or payout.

Deliveries arrive late, twice and out of order. `advance` decides whether a status is news or comes
too late. After a paid status only money that goes back changes it: a refund, dispute, return or
reversal, or the end of one of these. Failed, expired and cancelled may still become paid, since
gateways complete such orders manually and some report a failure first. Amounts do not depend on
the status.
"""

_OPEN = frozenset({"pending"})
_UNPAID = frozenset({"failed", "expired", "cancelled"})
_PARTIAL = frozenset({"underpaid"})
_PAID = frozenset({"confirmed", "overpaid"})
_TAKEN_BACK = frozenset({"refunded", "disputed", "returned", "reversed"})
_GIVEN_BACK = frozenset({"refund_failed", "dispute_returned"})
_AFTER_PAID = _TAKEN_BACK | _GIVEN_BACK

STATUSES = _OPEN | _UNPAID | _PARTIAL | _PAID | _AFTER_PAID | {"renewed"}
"""Every status of all families."""

_MOVES: dict[str, frozenset[str]] = {
    "pending": STATUSES,
    "failed": STATUSES - _OPEN,
    "expired": STATUSES - _OPEN,
    "cancelled": STATUSES - _OPEN,
    "underpaid": STATUSES - _OPEN,
    "confirmed": frozenset({"overpaid"}) | _AFTER_PAID,
    "overpaid": _AFTER_PAID,
    **dict.fromkeys(_AFTER_PAID, _AFTER_PAID),
    "renewed": STATUSES,
}


def advance(current: str | None, incoming: str) -> str | None:
    """Return the status after `incoming`, or None if it comes too late to change `current`.

    A repeated status also returns None. Raises KeyError for an unknown status.
    """
    if incoming not in STATUSES or not (current is None or current in STATUSES):
        raise KeyError(incoming if incoming not in STATUSES else current)
    if current is None:
        return incoming
    moves = current != incoming and incoming in _MOVES[current]
    return incoming if moves else None


def is_paid(status: str) -> bool:
    """Return whether the money has arrived (or left, for a payout), unless it is taken back."""
    return status in _PAID


def is_given_up(status: str) -> bool:
    """Return whether the gateway no longer expects money; it may still be paid later."""
    return status in _UNPAID


def contradicts_paid(current: str | None, incoming: str) -> bool:
    """Return whether a gateway revokes a payment: changes nothing, but an operator has to check."""
    return current is not None and is_paid(current) and incoming in _UNPAID | _PARTIAL
