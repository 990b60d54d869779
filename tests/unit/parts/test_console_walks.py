"""Every action of the console is carried out in a browser by one of the walks."""

from dataclasses import replace

from consumers.console.acting.routes import action_routes
from consumers.console.app import PAGES
from consumers.console.pages.books.resending import RESEND
from consumers.console.web.page import ConsolePage
from tests.parts.console.walks.every import actions_of, without_walk


def test_every_action_has_a_walk() -> None:
    assert list(without_walk(PAGES)) == []
    assert "/books/do/resend" in actions_of(PAGES)


def test_an_action_without_a_walk_and_a_walk_without_an_action_are_named() -> None:
    added = ConsolePage("books", action_routes(replace(RESEND, name="burn")))
    others = [page for page in PAGES if page.name != "cases"]
    lines = list(without_walk([*others, added]))
    assert lines[0] == "/books/do/burn: nothing carries out this action"
    assert len(lines) == 6
    assert lines[1].endswith(": there is no such action")
