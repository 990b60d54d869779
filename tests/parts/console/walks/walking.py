"""Someone who carries out an action in a browser, and checks its effect."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Locator

from router.evaluation.data_dir import DataDir
from tests.parts.console.live import LiveConsole
from tests.parts.console.people import Seat
from tests.parts.monitoring.database import execute, value
from tests.parts.waiting import until

PERSON: Final = "ada"
"""Who carries out the actions: an admin of every account."""


@dataclass(frozen=True)
class ActionWalker:
    """Someone at the console, the system that it shows, and the reasons given so far."""

    seat: Seat
    live: LiveConsole
    reasons: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """The text of the page that is open."""
        return self.seat.page.locator("main").inner_text()

    def link(self, name: str, within: str = "main") -> None:
        """Click a link or button by its text."""
        place = self.seat.page.locator(within)
        named = place.get_by_role("link", name=name, exact=True)
        self.seat.click(named.or_(place.get_by_role("button", name=name, exact=True)))

    def tick(self, number: int = 1) -> list[str]:
        """Select the first rows of the list; return their ids."""
        boxes = self.seat.page.locator("tbody input[type=checkbox]")
        boxes.first.wait_for()
        chosen = [boxes.nth(each) for each in range(number)]
        for box in chosen:
            box.check()
        return [str(box.get_attribute("value")) for box in chosen]

    def confirm(self, reason: str, count: int = 1, *, where: str = "") -> None:
        """Give the reason of the action that is previewed, do it, and read that it is done."""
        page = self.seat.page
        assert page.locator("main .count strong").inner_text().startswith(f"{count} "), self.said
        page.locator("#reason").fill(reason)
        self.seat.click(page.locator("main form.form button"))
        assert page.locator(".notice.good").count() >= 1, self.said
        assert where in page.url
        self.reasons.append(reason)

    def until_shown(self, path: str, what: Callable[[Locator], bool], why: str) -> None:
        """Open a page again and again until it shows the effect."""

        def look() -> bool:
            self.seat.open(path)
            return what(self.seat.page.locator("main"))

        until(look, why, pause=0.3)

    def execute(self, *statements: str) -> None:
        """Run statements in the database behind the system's back."""
        _apart(lambda: execute(database_of(self.live), *statements))

    def value(self, query: str) -> Any:  # noqa: ANN401 - type of the column
        """Return the one value of a query of the database."""
        return _apart(lambda: value(database_of(self.live), query))


def _apart(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work returns
    """Do something in another thread: this one runs the event loop of the browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def database_of(live: LiveConsole) -> str:
    """Return the URL of the database of the system that a console shows."""
    running = DataDir(live.place.data_dir).running()
    assert running is not None
    return str(running["addresses"]["database"]["url"])
