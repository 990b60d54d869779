"""The date of a transaction: the moment of its fact, if it is plausible."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

from router.contract.event import Event

OLDEST = timedelta(days=400)
"""A fact may be at most this much older than its receipt."""

AHEAD = timedelta(minutes=5)
"""A fact may be at most this much newer than its receipt."""


def moment_of(event: Event) -> datetime:
    """Return the moment of an event's fact; that of its receipt if the gateway's is implausible."""
    received, occurred = event.received_at, event.occurred_at
    if occurred is None or not received - OLDEST <= occurred <= received + AHEAD:
        return received
    return occurred


def day_of(moment: datetime) -> date:
    """Return the day of a moment, in UTC."""
    return moment.astimezone(UTC).date()


def last_day(first: date) -> date:
    """Return the last day of a month, given by its first."""
    return first.replace(day=monthrange(first.year, first.month)[1])
