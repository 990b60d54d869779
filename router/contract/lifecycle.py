"""How the status of one payment or payout may move: a table, and nothing else.

Deliveries come late, twice and out of order. `advance` says whether a status
changes what is known or comes too late to matter. Paid is final but for what
takes money back; failed, expired and cancelled may still become paid, since
gateways complete such orders by hand and some report failure first.
"""

_OPEN = frozenset({"pending"})
_UNPAID = frozenset({"failed", "expired", "cancelled"})
_PARTIAL = frozenset({"underpaid"})
_PAID = frozenset({"confirmed", "overpaid"})
_TAKEN_BACK = frozenset({"refunded", "disputed", "returned"})

STATUSES = _OPEN | _UNPAID | _PARTIAL | _PAID | _TAKEN_BACK | {"renewed"}
"""Every status, of whatever family."""

_MOVES: dict[str, frozenset[str]] = {
    "pending": STATUSES,
    "failed": STATUSES - _OPEN,
    "expired": STATUSES - _OPEN,
    "cancelled": STATUSES - _OPEN,
    "underpaid": STATUSES - _OPEN,
    "confirmed": frozenset({"overpaid"}) | _TAKEN_BACK,
    "overpaid": _TAKEN_BACK,
    "refunded": frozenset({"disputed"}),
    "disputed": frozenset({"refunded"}),
    "returned": frozenset(),
    "renewed": STATUSES,
}


def advance(current: str | None, incoming: str) -> str | None:
    """Return the status after `incoming`, or None where it comes too late to change `current`.

    A repeated status changes nothing and is None too. An unknown word is a KeyError.
    """
    if incoming not in STATUSES or not (current is None or current in STATUSES):
        raise KeyError(incoming if incoming not in STATUSES else current)
    if current is None:
        return incoming
    moves = current != incoming and incoming in _MOVES[current]
    return incoming if moves else None


def is_paid(status: str) -> bool:
    """Tell whether the money is in (or, for a payout, out) and stays so unless taken back."""
    return status in _PAID


def is_given_up(status: str) -> bool:
    """Tell whether the gateway expects no money any more; it may still turn out to be paid."""
    return status in _UNPAID


def contradicts_paid(current: str | None, incoming: str) -> bool:
    """Tell whether a gateway calls off what it had called paid: no effect, but a person looks."""
    return current is not None and is_paid(current) and incoming in _UNPAID | _PARTIAL
