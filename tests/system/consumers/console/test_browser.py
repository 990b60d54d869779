"""A real Chromium goes through the console of a live system with troubles."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.parts.console.chromium import DESKTOP, PHONE, Window
from tests.parts.console.crawling import crawl, kind_of
from tests.parts.console.judging import wrong_with
from tests.parts.console.live import LiveConsole
from tests.parts.console.people import People, Seat, sign_in

PAGES = ("/", "/search", "/cases", "/deliveries", "/groups", "/books", "/endpoints")
"""Pages that the crawl must have found, besides those that they lead to."""


@pytest.fixture(scope="module")
def people(live: LiveConsole, browser: Browser) -> People:
    """Return the people of the shop."""
    return People(live, browser)


@pytest.fixture(scope="module")
def found(people: People) -> Mapping[str, list[str]]:
    """Return the URL of one page of each kind, with what is wrong with it in a large window."""
    with people.seat("ada", Window(DESKTOP, "light")) as seat:
        return {url: list(wrong_with(seat.page)) for url in crawl(seat.page, seat.origin)}


def test_every_page_is_right_in_a_large_light_window(found: Mapping[str, list[str]]) -> None:
    assert {url: wrong for url, wrong in found.items() if wrong} == {}
    assert {kind_of(url) for url in found} > {kind_of(f"{urlof(found)}{path}") for path in PAGES}


def urlof(found: Mapping[str, list[str]]) -> str:
    """Return the origin of the pages."""
    parts = urlsplit(next(iter(found)))
    return f"{parts.scheme}://{parts.netloc}"


def test_every_page_is_right_on_a_dark_phone(
    people: People, found: Mapping[str, list[str]]
) -> None:
    wrong = {}
    with people.seat("ada", Window(PHONE, "dark", language="de-DE")) as seat:
        for url in found:
            seat.page.goto(url)
            wrong[url] = list(wrong_with(seat.page))
            assert seat.page.locator("html").get_attribute("lang") == "de"
    assert {url: lines for url, lines in wrong.items() if lines} == {}


def test_every_page_works_without_script(people: People, found: Mapping[str, list[str]]) -> None:
    with people.seat("ada", Window(script=False)) as seat:
        for url in found:
            answer = seat.page.goto(url)
            assert answer is not None
            assert answer.status == 200, url
            assert seat.page.locator("main h1").inner_text() != ""


def test_sign_in_and_sign_out_by_keyboard(live: LiveConsole, browser: Browser) -> None:
    with People(live, browser).seat("vera") as seat:
        seat.open("/")
        focus(seat, "Sign out")
        seat.page.keyboard.press("Enter")
        seat.page.wait_for_load_state("load")
        sign_in(seat, "vera")
        seat.open("/cases")
        assert seat.page.locator("main table").count() >= 1


def focus(seat: Seat, text: str, most: int = 120) -> None:
    """Press Tab until what has this text has the focus."""
    for _ in range(most):
        seat.page.keyboard.press("Tab")
        focused = seat.page.evaluate("document.activeElement.innerText || ''")
        if text in str(focused):
            return
    message = f"Tab does not reach {text}"
    raise AssertionError(message)
