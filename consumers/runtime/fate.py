"""Outcome of a record: one word, used by handlers, the fence, the metrics and the trace."""

from enum import StrEnum


class Fate(StrEnum):
    """Outcome of a record. Handlers return APPLIED or STALE; the runtime sets the others."""

    APPLIED = "applied"
    """It had an effect."""
    DUPLICATE = "duplicate"
    """Its event was already applied, or already found stale."""
    STALE = "stale"
    """It arrived too late to change anything."""
    PARKED = "parked"
    """It is held and retried automatically."""
    DEAD = "dead"
    """It is held until an operator acts."""
    REDELIVERED = "redelivered"
    """The same record was already processed: its offset is below the fence."""


HANDLER_FATES = frozenset({Fate.APPLIED, Fate.STALE})
"""Outcomes that a handler may return."""

RETRY_FATES = (Fate.APPLIED, Fate.STALE, Fate.DUPLICATE, Fate.PARKED, Fate.DEAD)
"""Possible outcomes of retrying a parked record; PARKED if it stays parked."""
