"""The outcomes of a delivery and their reasons, as used in metrics, log and answers."""

from collections.abc import Iterable, Mapping

from router.errors import Reason

ACCEPTED = "accepted"
QUARANTINED = "quarantined"
IGNORED = "ignored"
REFUSED = "refused"
FAILED = "failed"

UNKNOWN = "unknown"
"""The endpoint label of requests to an unknown endpoint."""

NO_REASON = "none"
"""The reason that the log gives for deliveries that are accepted or ignored."""

OUTCOMES = (ACCEPTED, QUARANTINED, IGNORED, REFUSED, FAILED)
"""Possible outcomes of a delivery."""

UNPROVED = frozenset(
    reason.value
    for reason in (
        Reason.SIGNATURE_MISSING,
        Reason.SIGNATURE_DUPLICATED,
        Reason.SIGNATURE_MALFORMED,
        Reason.SIGNATURE_WRONG,
        Reason.TIME_MISSING,
        Reason.TIME_DUPLICATED,
        Reason.TIME_MALFORMED,
        Reason.ID_MISSING,
        Reason.ID_DUPLICATED,
        Reason.ID_MALFORMED,
    )
)
"""Reasons of deliveries that failed verification."""
_QUARANTINES = (
    Reason.UNKNOWN_EVENT,
    Reason.UNKNOWN_STATUS,
    Reason.FIELD_MISSING,
    Reason.FIELD_MALFORMED,
    Reason.AMOUNT_UNREPRESENTABLE,
    Reason.AMBIGUOUS,
    Reason.TEST_MONEY,
    Reason.LIVE_MONEY,
    Reason.NOT_PARSEABLE,
    Reason.CONTENT_TYPE,
    Reason.EVENT_HEADER_CONTRADICTS,
    Reason.NOT_OURS,
    Reason.INTERNAL,
)
KEPT_FOR = (*_QUARANTINES, Reason.STALE, Reason.FUTURE)
_FAILURES = (Reason.NOT_DURABLE, Reason.OVERLOADED, Reason.INTERNAL)
# Quarantined within a rate limit, and refused beyond it.
_BOUNDED = {Reason.NOT_OURS}
_ELSEWHERE = {*_QUARANTINES, *_FAILURES, Reason.UNKNOWN_ENDPOINT} - _BOUNDED
_REFUSALS = tuple(reason for reason in Reason if reason not in _ELSEWHERE)

REASONS: Mapping[str, Iterable[str]] = {
    QUARANTINED: _QUARANTINES,
    REFUSED: _REFUSALS,
    FAILED: _FAILURES,
}
"""The possible reasons of each outcome, for deliveries to a configured endpoint."""
