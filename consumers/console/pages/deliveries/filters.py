"""Filters of the list in the URL, as a filter of deliveries and as options of a command."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from consumers.console.listing.listing import ListFilter
from consumers.console.pages.deliveries.reading import DeliveryFilter
from consumers.console.pages.deliveries.seen import DeliveryOutcome
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from router.contract.event import EventType
from router.errors import Reason
from router.terminal.typed import typed

_COMMANDS = {DeliveryOutcome.QUARANTINED: "quarantine", DeliveryOutcome.REFUSED: "refused"}
"""The commands that list deliveries, by outcome."""

_OPTIONS = ("endpoint", "reason", "since")
_NOT_STORED = {Reason.UNKNOWN_ENDPOINT, Reason.OVERLOADED, Reason.NOT_DURABLE}


def delivery_filter(visit: ConsoleVisit, given: Mapping[str, str]) -> DeliveryFilter:
    """Return the filter that the URL gives, limited to what the person may see.

    Raises WrongInput.
    """
    until = moment_given(visit, "until", given.get("until", ""))
    return DeliveryFilter(
        outcome=_outcome(given.get("outcome")),
        endpoint=given.get("endpoint"),
        account=given.get("account"),
        reason=given.get("reason"),
        since=moment_given(visit, "since", given.get("since", "")),
        # The day itself is included.
        until=None if until is None else until + timedelta(days=1),
        accounts=visit.viewer.accounts,
    )


def _outcome(word: str | None) -> DeliveryOutcome | None:
    if word is None:
        return None
    try:
        return DeliveryOutcome(word)
    except ValueError:
        expected = ", ".join(DeliveryOutcome)
        field = "outcome"
        raise WrongInput(field, expected) from None


def moment_given(visit: ConsoleVisit, field: str, text: str) -> datetime | None:
    """Return the moment of a field, midnight of a day; None if it is empty. Raises WrongInput."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "2026-11-22"
        raise WrongInput(field, expected) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=visit.zone)


def _outcomes(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(each.value, visit.text(f"deliveries.outcome.{each}")) for each in DeliveryOutcome]


def _endpoints(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    allowed, every = visit.viewer.accounts, visit.sources.settings.endpoints
    names = [name for name, own in every.items() if allowed is None or own.account in allowed]
    return [(name, name) for name in sorted(names)]


def accounts_of(visit: ConsoleVisit) -> Sequence[str]:
    """Return the accounts of the endpoints that the person may see."""
    allowed = visit.viewer.accounts
    return [
        each
        for each in sorted(visit.sources.settings.accounts)
        if allowed is None or each in allowed
    ]


def _accounts(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    return [(each, each) for each in accounts_of(visit)]


def _reasons(_visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    stored = sorted(each.value for each in Reason if each not in _NOT_STORED)
    return [(each, each) for each in (*stored, *sorted(EventType))]


FILTERS: Sequence[ListFilter] = (
    ListFilter("outcome", "deliveries.column.outcome", "choice", _outcomes),
    ListFilter("endpoint", "deliveries.column.endpoint", "choice", _endpoints),
    ListFilter("account", "deliveries.column.account", "choice", _accounts),
    ListFilter("reason", "deliveries.column.reason", "choice", _reasons),
    ListFilter("since", "deliveries.filter.since", "date"),
    ListFilter("until", "deliveries.filter.until", "date"),
)


def list_command(_visit: ConsoleVisit, given: Mapping[str, str]) -> str:
    """Return the commands that list the same deliveries; no command lists accepted ones."""
    outcome = given.get("outcome")
    if outcome == DeliveryOutcome.ACCEPTED:
        return typed("payrouter trace", ["ORDER"])
    options = {f"--{each}": given[each] for each in _OPTIONS if each in given}
    kept = [word for own, word in _COMMANDS.items() if outcome in {None, own}]
    return "\n".join(typed(f"payrouter {word} list", options=options) for word in kept)
