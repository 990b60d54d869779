"""The walk of every action, by the path of the action."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from consumers.console.web.page import ConsolePage
from tests.parts.console.people import People
from tests.parts.console.walks import about_cases, about_consumers, about_payments
from tests.parts.console.walks.walking import PERSON, ActionWalker

# The brake comes first: a decision waits behind it.
WALKS: Final[Mapping[str, Callable[[ActionWalker], None]]] = {
    "/groups/do/brake": about_consumers.brake,
    "/groups/do/retry": about_consumers.retry,
    "/groups/do/replay": about_consumers.replay,
    "/groups/do/outbox": about_consumers.outbox,
    "/cases/do/assign": about_cases.assign,
    "/cases/do/note": about_cases.note,
    "/cases/do/close": about_cases.close,
    "/cases/do/reopen": about_cases.reopen,
    "/cases/do/decide": about_cases.decide,
    "/deliveries/do/replay": about_payments.replay,
    "/books/do/resend": about_payments.resend,
    "/endpoints/do/trial": about_payments.trial,
}


def actions_of(pages: Sequence[ConsolePage]) -> frozenset[str]:
    """Return the path of every action of some pages."""
    return frozenset(
        f"/{page.name}{route.path}"
        for page in pages
        for route in page.routes
        if route.acts and route.method == "POST"
    )


def without_walk(pages: Sequence[ConsolePage]) -> Iterator[str]:
    """Yield the actions of these pages that have no walk, and the walks that have no action.

    One line for each.
    """
    actions = actions_of(pages)
    yield from (f"{path}: nothing carries out this action" for path in sorted(actions - {*WALKS}))
    yield from (f"{path}: there is no such action" for path in sorted({*WALKS} - actions))


def carry_out(people: People) -> Iterator[str]:
    """Carry out every action and check its effect and its record; yield the path of each.

    Raises AssertionError if an action does not have its effect, or no record.
    """
    with people.seat(PERSON) as seat:
        walker = ActionWalker(seat, people.live)
        for path, walk in WALKS.items():
            walk(walker)
            yield path
        seat.open(f"/groups/operations?who={PERSON}+(console)")
        recorded = walker.said
    missing = [each for each in walker.reasons if each not in recorded]
    assert missing == [], recorded
