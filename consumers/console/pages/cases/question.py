"""Which cases the URL asks for, and the command that lists the same."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from consumers.console.listing.cursors import aware_moment, cursor_of, read_cursor
from consumers.console.listing.listing import ListFilter
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.reading import NO_ONE, CaseFilter
from consumers.runtime.casebook.stored_case import StoredCase, kinds_of
from router.terminal.typed import typed

UNASSIGNED: Final = "-"
"""Value of the filter `assigned`: cases that are assigned to no one."""

_CLOSED: Final = "closed"
_MOST_HOURS: Final = 24 * 365 * 10
_HOURS: Final = "hours"


def _kinds(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    services = [each.service for each in visit.sources.consumers.values()]
    return [(name, name) for name in sorted({kind for each in services for kind in kinds_of(each)})]


def _consumers(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(name, name) for name in sorted(visit.sources.consumers)]


def _states(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(_CLOSED, visit.text("cases.filter.closed"))]


FILTERS: Final = (
    ListFilter("order", "cases.column.order"),
    ListFilter("kind", "cases.column.kind", "choice", _kinds),
    ListFilter("consumer", "cases.column.consumers", "choice", _consumers),
    ListFilter("account", "cases.column.account"),
    ListFilter("hours", "cases.filter.hours", "number"),
    ListFilter("assigned", "cases.filter.assigned"),
    ListFilter("state", "cases.filter.state", "choice", _states),
)
"""The filters of the list, as the URL names them."""


def case_filter(
    visit: ConsoleVisit, filters: Mapping[str, str], after: str | None, limit: int
) -> CaseFilter:
    """Return what to read; raises WrongInput for a value that no filter has."""
    for name, known in (("kind", _kinds), ("consumer", _consumers), ("state", _states)):
        choices = [value for value, _ in known(visit)]
        if filters.get(name, choices[0] if choices else "") not in choices:
            raise WrongInput(name, ", ".join(choices))
    assigned = filters.get("assigned")
    return CaseFilter(
        kinds=[filters["kind"]] if "kind" in filters else (),
        account=filters.get("account"),
        order=filters.get("order"),
        older_than=timedelta(hours=_hours(filters.get("hours", "0"))),
        closed=filters.get("state") == _CLOSED,
        limit=limit,
        accounts=visit.viewer.accounts,
        assignee=NO_ONE if assigned == UNASSIGNED else assigned,
        after=None if after is None else _key(after),
        counted=False,
    )


def asked_consumers(filters: Mapping[str, str]) -> Sequence[str]:
    """Return the consumer of the filters, nothing for all."""
    return [filters["consumer"]] if "consumer" in filters else ()


def list_command(_visit: ConsoleVisit, filters: Mapping[str, str]) -> str:
    """Return the command that lists the same cases."""
    options = {
        "--order": filters.get("order"),
        "--kind": filters.get("kind"),
        "--consumer": filters.get("consumer"),
        "--account": filters.get("account"),
        "--older-than": filters.get("hours"),
    }
    flags = ["--closed"] if filters.get("state") == _CLOSED else []
    if filters.get("assigned") == UNASSIGNED:
        flags.append("--unassigned")
    else:
        options["--assigned-to"] = filters.get("assigned")
    given = {name: value for name, value in options.items() if value}
    return typed("payrouter cases list", (), given, flags)


def key_after(case: StoredCase) -> str:
    """Return the cursor of the cases behind this one."""
    since, kind, number = case.order_of_listing
    return cursor_of(since.isoformat(), kind, number)


def _key(cursor: str) -> tuple[datetime, str, str]:
    since, kind, number = read_cursor(cursor, (aware_moment, str, str))
    return since, kind, number


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= _MOST_HOURS:
        raise WrongInput(_HOURS, f"0 to {_MOST_HOURS}")
    return hours
