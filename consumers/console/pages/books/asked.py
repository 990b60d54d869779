"""What the filters of these pages ask: days, months, accounts."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from consumers.console.listing.listing import ListFilter
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.ledger.reading.selection import LineFilter

LINE_FILTERS: Final = (
    ListFilter("account", "books.account"),
    ListFilter("currency", "books.currency"),
    ListFilter("network", "books.network"),
)
"""Filters of every list of the ledger."""

_OPTIONS: Final = {
    **{name: f"--{name}" for name in ("account", "currency", "network", "order", "status")},
    **{name: f"--{name}" for name in ("state", "channel", "kind", "through", "first")},
}


def day_of(filters: Mapping[str, str], name: str) -> date | None:
    """Return a filter's day, None if it is not given; raises WrongInput."""
    given = filters.get(name)
    try:
        return None if given is None else date.fromisoformat(given)
    except ValueError:
        raise WrongInput(name, "2026-11-30") from None


def month_of(filters: Mapping[str, str], visit: ConsoleVisit) -> date:
    """Return the first day of the filter `month`, or of the present one; raises WrongInput."""
    given = filters.get("month", f"{visit.now:%Y-%m}")
    try:
        return date.fromisoformat(f"{given}-01")
    except ValueError:
        name = "month"
        raise WrongInput(name, "2026-11") from None


def lines_of(visit: ConsoleVisit, filters: Mapping[str, str]) -> LineFilter:
    """Return which postings are shown: what the filters select, of what the person may see."""
    return LineFilter(
        account=filters.get("account"),
        merchants=visit.viewer.accounts,
        network=filters.get("network"),
        currency=filters.get("currency"),
    )


def options_of(filters: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a command that mean the same as filters."""
    return {_OPTIONS[name]: value for name, value in filters.items() if name in _OPTIONS}


def merchants(visit: ConsoleVisit) -> list[str]:
    """Return the accounts that the configuration has and the person may see, sorted."""
    allowed = visit.viewer.accounts
    known = visit.sources.settings.accounts if allowed is None else allowed
    return sorted(known)
