"""Payments that are booked only as claimed, as cases once they have waited for too long."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Select, func, select, text
from sqlalchemy.dialects.postgresql import JSONB

from consumers.ledger.book import POSITION, UNRECONCILED

CLAIM_GRACE: Final = timedelta(days=3)
"""Time for a claimed amount to be seen on chain."""


def claims_not_seen() -> Select[Any]:
    """Return the query of claimed payments, as cases; their grace starts with their last event."""
    facts = func.jsonb_build_object(
        *("status", func.coalesce(POSITION.c.status, "")),
        type_=JSONB,
    )
    return select(
        POSITION.c.id.label("subject"),
        POSITION.c.account,
        POSITION.c.reference,
        POSITION.c.provider,
        POSITION.c.provider_reference,
        POSITION.c.updated_at.label("since"),
        facts.label("facts"),
    ).where(text(UNRECONCILED))
