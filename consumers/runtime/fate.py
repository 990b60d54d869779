"""What becomes of a record: one word, from the handler to the fence, the metrics and the trace."""

from enum import StrEnum


class Fate(StrEnum):
    """What became of a record. A handler answers APPLIED or STALE, the runtime the rest."""

    APPLIED = "applied"
    """It had an effect."""
    DUPLICATE = "duplicate"
    """Its event was applied, or found stale, before."""
    STALE = "stale"
    """It came too late to change anything."""
    PARKED = "parked"
    """It is held, and tried again by itself."""
    DEAD = "dead"
    """It is held until a person acts."""
    REDELIVERED = "redelivered"
    """The same record was passed before; the fence says so."""


A_HANDLERS = frozenset({Fate.APPLIED, Fate.STALE})
"""What a handler may answer."""

TRIED = (Fate.APPLIED, Fate.STALE, Fate.DUPLICATE, Fate.PARKED, Fate.DEAD)
"""What a try of a parked record may come to; PARKED: it stays so."""
