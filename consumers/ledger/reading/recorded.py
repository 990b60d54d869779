"""Who recorded an event of an operator, and why: it is in the event's evidence."""

import json
from typing import NamedTuple

from sqlalchemy import Label, select

from consumers.ledger.book import EVENT, EVIDENCE
from router.contract.identity import OPERATOR


class Authorship(NamedTuple):
    """Who recorded an amount, and why."""

    by: str
    reason: str


def recorded_body() -> Label[str | None]:
    """Return the column `recorded_body` of a query of `event`: null for a gateway's event."""
    body = (
        select(EVIDENCE.c.body)
        .where(EVIDENCE.c.event_id == EVENT.c.event_id, EVENT.c.provider == OPERATOR)
        .scalar_subquery()
    )
    return body.label("recorded_body")


def authorship_of(body: str | None) -> Authorship | None:
    """Return who recorded an event and why; None for a gateway's event, or erased evidence."""
    recorded = None if body is None else json.loads(body).get("recorded")
    return None if recorded is None else Authorship(recorded["by"], recorded["reason"])
