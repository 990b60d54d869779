"""The runtime's own kinds of cases: records that a consumer could not apply."""

from datetime import timedelta
from typing import Final

from consumers.runtime.cases.kind import CaseKind, Severity

DEAD_RECORD: Final = CaseKind(
    "dead-record",
    Severity.PAGE,
    "A record could not be applied and has no effect until it is replayed.",
    ("payrouter dlq show {consumer} {number}", "payrouter dlq replay {consumer} --id {number}"),
)
CONFLICTING_RECORD: Final = CaseKind(
    "conflicting-record",
    Severity.PAGE,
    "An event came again under a known id with contradicting content; the first one stays.",
    ("payrouter dlq show {consumer} {number}", "payrouter trace {event}"),
)
PARKED_RECORD: Final = CaseKind(
    "parked-record",
    Severity.TICKET,
    "A record has failed for a while and is still retried; those of its key wait behind it.",
    ("payrouter dlq show {consumer} {number}", "payrouter parked retry {consumer} --id {number}"),
)

HELD_KINDS: Final = (DEAD_RECORD, CONFLICTING_RECORD, PARKED_RECORD)
"""Kinds that every consumer has. A record held by several consumers is one case."""

PARKED_GRACE: Final = timedelta(minutes=15)
"""How long a record may be parked before it is a case: most faults have passed by then."""
