"""Walks about cases: assign, note, close, reopen, decide."""

from typing import Final

from tests.parts.console import troubles
from tests.parts.console.walks.walking import PERSON, ActionWalker

_SOMEONE: Final = "maria"
_UNSENT: Final = "/cases?kind=message-failed"
"""Cases of one consumer: the id of a case of several depends on which of them answer in time."""


def assign(walker: ActionWalker) -> None:
    """Assign two selected cases, which the list of that person then shows."""
    walker.seat.open(_UNSENT)
    chosen = walker.tick(2)
    walker.link("Assign", "#selection")
    walker.seat.page.locator("#a-to").fill(_SOMEONE)
    walker.confirm("maria knows these gateways", 2)
    _until_listed(walker, f"{_UNSENT}&assigned={_SOMEONE}", *chosen)


def note(walker: ActionWalker) -> None:
    """Add a note, which the page of the case then shows."""
    _open_first(walker, _UNSENT)
    walker.link("Add a note")
    walker.confirm("asked the gateway about it", where="/cases/")
    assert "asked the gateway about it" in walker.said
    assert f"{PERSON} (console)" in walker.said


def close(walker: ActionWalker) -> None:
    """Close a case, which is then in no list of open ones."""
    case = _open_first(walker, _UNSENT)
    walker.link("Close")
    walker.confirm("ticket 17 is about it")
    _until_listed(walker, f"{_UNSENT}&state=closed", case)
    walker.seat.open(_UNSENT)
    assert case not in walker.said, walker.said


def reopen(walker: ActionWalker) -> None:
    """Open a closed case again, which is then in the list of open ones."""
    walker.seat.open("/cases?state=closed")
    (case,) = walker.tick()
    walker.link("Open again", "#selection")
    walker.confirm("it was the wrong one")
    walker.seat.open("/cases?state=closed")
    assert case not in walker.said, walker.said
    _until_listed(walker, _UNSENT, case)


def decide(walker: ActionWalker) -> None:
    """Accept an order that was paid too little, and wait until the consumer has sold it."""
    listed = f"/cases?kind=paid-too-little&order={troubles.SHORT}"
    _open_first(walker, listed)
    walker.link("Accept as paid")
    walker.confirm("the customer is known to us")
    walker.until_shown(listed, lambda main: main.locator("tbody code").count() == 0, "no case")
    order = walker.live.place.json("inventory", "orders", "--order", troubles.SHORT)
    assert "committed" in str(order)


def _until_listed(walker: ActionWalker, path: str, *cases: str) -> None:
    walker.until_shown(
        path,
        lambda main: all(each in main.inner_text() for each in cases),
        f"{', '.join(cases)} in {path}",
    )


def _open_first(walker: ActionWalker, path: str) -> str:
    """Open the first case of a list; return its id."""
    walker.seat.open(path)
    first = walker.seat.page.locator("tbody code").first
    case = first.inner_text()
    walker.seat.click(first)
    return case
