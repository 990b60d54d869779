"""People at the console, each with a window of a real browser."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.parts.console.chromium import Noise, Window, person
from tests.parts.console.live import PASSWORDS, LiveConsole


@dataclass
class Seat:
    """Someone at the console: a page that is open, what it must not do, and clicks so far."""

    page: Page
    origin: str
    noise: Noise = field(default_factory=Noise)
    clicks: int = 0

    def open(self, path: str) -> None:
        """Open a path by its address."""
        answer = self.page.goto(f"{self.origin}{path}")
        assert answer is not None

    def click(self, what: Locator) -> None:
        """Click, and wait for the page that opens."""
        self.clicks += 1
        what.first.click()
        self.page.wait_for_load_state("load")

    def enter(self, what: Locator, text: str) -> None:
        """Fill in a field and send its form with Enter, which counts as a click."""
        self.clicks += 1
        what.first.fill(text)
        what.first.press("Enter")
        self.page.wait_for_load_state("load")


@dataclass
class People:
    """Opens windows of people who are signed in; each signs in once."""

    live: LiveConsole
    browser: Browser
    states: dict[str, object] = field(default_factory=dict)

    @contextlib.contextmanager
    def seat(self, name: str, window: Window | None = None) -> Iterator[Seat]:
        """Sit someone down at the console; nothing unexpected may have happened at the end."""
        with person(self.browser, window or Window(), self._state(name)) as context:
            seat = _seated(context, self.live.url)
            yield seat
            assert seat.noise.heard == []

    def _state(self, name: str) -> object:
        if name not in self.states:
            with person(self.browser, Window()) as context:
                sign_in(_seated(context, self.live.url), name)
                self.states[name] = context.storage_state()
        return self.states[name]


def sign_in(seat: Seat, name: str) -> None:
    """Sign in by the form."""
    seat.open("/sign-in")
    seat.page.locator("#name").fill(name)
    seat.enter(seat.page.locator("#password"), PASSWORDS[name])
    assert "/sign-in" not in seat.page.url, seat.page.inner_text("main")


def _seated(context: BrowserContext, origin: str) -> Seat:
    seat = Seat(context.new_page(), origin)
    seat.noise.listen(seat.page, origin)
    return seat
