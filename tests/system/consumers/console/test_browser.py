"""A real Chromium goes through the console of a live system with troubles."""

import json
import re
from collections.abc import Mapping

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.parts.console import shop, troubles
from tests.parts.console.chromium import DESKTOP, PHONE, Window
from tests.parts.console.client import ConsoleClient, signed_in
from tests.parts.console.crawling import crawl, kind_of
from tests.parts.console.judging import wrong_with
from tests.parts.console.live import PASSWORDS, LiveConsole
from tests.parts.console.people import People, Seat, sign_in
from tests.parts.console.walks.every import WALKS, carry_out
from tests.parts.waiting import until

PAGES = ("/", "/search", "/cases", "/deliveries", "/groups", "/books", "/endpoints")
"""Pages that the crawl must have found, besides those that they lead to."""

Found = Mapping[str, list[str]]


@pytest.fixture(scope="module")
def people(live: LiveConsole, browser: Browser) -> People:
    """Return the people of the shop."""
    return People(live, browser)


@pytest.fixture(scope="module")
def found(people: People) -> Found:
    """Return the path of one page of each kind, with what is wrong with it in a large window."""
    with people.seat("ada", Window(DESKTOP, "light")) as seat:
        pages = crawl(seat.page, seat.origin)
        return {url.removeprefix(seat.origin): list(wrong_with(seat.page)) for url in pages}


def test_every_page_is_right_in_a_large_light_window(found: Found) -> None:
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert {kind_of(path) for path in found} > set(PAGES)


def test_every_page_is_right_on_a_dark_phone_in_german(people: People, found: Found) -> None:
    wrong = {}
    with people.seat("ada", Window(PHONE, "dark", language="de-DE")) as seat:
        for path in found:
            seat.open(path)
            wrong[path] = list(wrong_with(seat.page))
            assert seat.page.locator("html").get_attribute("lang") == "de"
    assert {path: lines for path, lines in wrong.items() if lines} == {}


def test_the_judge_finds_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content(
        "<html><body><img src=x onerror='0'><p style='color:#999;background:#aaa'>low</p>"
        f"<script>0</script><pre>{'wide' * 200}</pre>{shop.TOKEN}</body></html>"
    )
    lines = "\n".join(wrong_with(page))
    page.close()
    for word in ("the secret", "foreign: <script", "foreign: <img", "0 headings", "wider"):
        assert word in lines
    for rule in ("color-contrast", "image-alt", "html-has-lang"):
        assert f": {rule}: " in lines


def test_pages_and_an_action_work_without_script(people: People) -> None:
    with people.seat("ada", Window(script=False)) as seat:
        for path in PAGES:
            seat.open(path)
            assert seat.page.locator("main h1").inner_text() != ""
        send_trial(seat)


def send_trial(seat: Seat) -> None:
    """Send a test delivery from the page of its endpoint."""
    seat.open("/endpoints/trial")
    seat.click(seat.page.get_by_role("link", name="Send a test delivery"))
    seat.page.locator("#reason").fill("is the gateway's sandbox set up?")
    seat.click(seat.page.get_by_role("button", name="Send"))
    assert "the edge answered 200" in seat.page.locator(".notice.good").inner_text()


def test_one_action_by_keyboard_alone(people: People, live: LiveConsole) -> None:
    with people.seat("olga") as seat:
        seat.open("/cases")
        tab_to(seat, "[href^='/cases/do/note?']")
        press_enter(seat)
        tab_to(seat, "#reason")
        seat.page.keyboard.type("asked the customer")
        press_enter(seat)
        said = seat.page.locator("main").inner_text()
        assert seat.page.locator(".notice.good").count() == 1, said
    ada = signed_in(live.port, "ada", PASSWORDS["ada"])
    recorded = ada.get("/groups/operations.json").text
    assert "olga (console)" in recorded
    assert "asked the customer" in recorded


def test_signing_in_and_out_by_keyboard(live: LiveConsole, browser: Browser) -> None:
    with People(live, browser).seat("vera") as seat:
        seat.open("/")
        tab_to(seat, "form[action='/sign-out'] button")
        press_enter(seat)
        seat.open("/cases")
        assert "/sign-in" in seat.page.url
        sign_in(seat, "vera")


def tab_to(seat: Seat, selector: str, most: int = 150) -> None:
    """Press Tab until the first element of a selector has the focus, which must be visible."""
    seat.page.locator(selector).first.wait_for()
    focused = f"document.activeElement.matches({selector!r})"
    for _ in range(most):
        seat.page.keyboard.press("Tab")
        if seat.page.evaluate(focused):
            outline = seat.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    message = f"Tab does not reach {selector}"
    raise AssertionError(message)


def press_enter(seat: Seat) -> None:
    """Press Enter, and wait for the page that opens."""
    with seat.page.expect_navigation():
        seat.page.keyboard.press("Enter")


def test_live_lists_are_updated(people: People, live: LiveConsole) -> None:
    with people.seat("ada") as seat:
        seat.open("/endpoints?mode=live")
        row = seat.page.locator("tr", has=seat.page.locator("a", has_text="atm-us"))
        before = row.inner_text()
        assert shop.pay(live.dev.port, "B-901", "1", endpoint="atm-us") == 200
        until(lambda: row.inner_text() != before, "a new count", pause=0.5)


# A stranger's tasks, each in a number of clicks; Enter in a field counts as one.


def test_why_an_order_is_not_shipped_takes_two_clicks(people: People) -> None:
    with people.seat("vera") as seat:
        seat.open("/")
        seat.enter(seat.page.locator("main input[name=q]"), troubles.SHORT)
        said = seat.page.locator("main").inner_text()
        assert re.search(r"paid too little|paid-too-little", said)
        assert seat.clicks <= 2


def test_replaying_what_an_unknown_status_quarantined_takes_five_clicks(
    people: People, live: LiveConsole
) -> None:
    with people.seat("olga") as seat:
        seat.open("/")
        seat.click(nav(seat.page, "Deliveries"))
        seat.click(seat.page.get_by_role("link", name="unknown_event"))
        seat.click(seat.page.locator("main a[href*='/do/replay']"))
        assert "1 entry" in seat.page.locator("main .count").inner_text()
        seat.page.locator("#reason").fill("the mapping has the word now")
        seat.click(seat.page.locator("main form button"))
        assert "1 delivery was replayed" in seat.page.locator("main").inner_text()
        assert seat.clicks <= 5
    place = live.place
    until(lambda: troubles.UNKNOWN in place.quick("trace", troubles.UNKNOWN).stdout, "the event")
    booked = ("ledger", "statement", "--account", f"{shop.EU}:acme:payments")
    until(lambda: "30" in str(place.json(*booked)), "the payment in the books")


def test_which_consumer_is_stuck_and_since_when_takes_one_click(people: People) -> None:
    with people.seat("ada") as seat:
        seat.open("/")
        seat.click(nav(seat.page, "Consumers"))
        stuck = seat.page.locator("main section, main article, main div", has_text="inventory")
        assert "stopped after many failures" in stuck.first.inner_text()
        assert stuck.first.locator("time").count() >= 1
        assert seat.clicks <= 1


def test_balances_of_an_account_at_the_end_of_november_as_csv_take_three_clicks(
    people: People,
) -> None:
    with people.seat("ada") as seat:
        seat.open("/")
        seat.click(nav(seat.page, "Books"))
        seat.page.locator("[name=account]").first.fill(shop.EU)
        seat.page.locator("[name=at]").first.fill("2026-11-30")
        seat.click(seat.page.get_by_role("button", name="Filter"))
        with seat.page.expect_download() as download:
            seat.page.get_by_role("link", name="CSV").first.click()
        text = download.value.path().read_text(encoding="utf-8")
        assert f"{shop.EU}:blockatm:wallet" in text
        assert shop.US not in text
        assert seat.clicks + 1 <= 3


def nav(page: Page, name: str) -> Locator:
    """Return the entry of the navigation."""
    return page.locator("header nav").get_by_role("link", name=name)


# Attacks: all are refused and logged, and nothing is executed in the browser.


def test_pages_about_hostile_orders_execute_nothing(people: People) -> None:
    with people.seat("ada") as seat:
        for text in (*troubles.HOSTILE, troubles.HOSTILE_CUSTOMER, troubles.HOSTILE_HEADER):
            seat.open("/")
            seat.enter(seat.page.locator("main input[name=q]"), text)
            assert list(wrong_with(seat.page)) == []
    ada = signed_in(people.live.port, "ada", PASSWORDS["ada"])
    listed = {each["order"] for each in json.loads(ada.get("/books/orders.json").text)}
    assert listed >= set(troubles.HOSTILE)


def test_attacks_on_the_live_console_are_refused_and_logged(live: LiveConsole) -> None:
    """The same attacks are tried one by one in tests/integration/consumers/console."""
    vera, uwe = (signed_in(live.port, name, PASSWORDS[name]) for name in ("vera", "uwe"))
    stranger, forger = ConsoleClient(live.port), ConsoleClient(live.port, dict(vera.cookies))
    for name, value in forger.cookies.items():
        forger.cookies[name] = f"{value[:-4]}AAAA" if "session" in name else value
    note = {"id": "0" * 12, "reason": "x", "expected_count": "1"}
    assert stranger.post("/webhooks/atm-eu", {}).status == 404
    assert stranger.get("/cases").status == 303
    assert forger.get("/cases").status == 303
    token = {"csrf": vera.get("/cases").token}
    assert vera.post("/cases/do/note", {**note, **token}).status == 403
    assert uwe.post("/cases/do/note", note).status == 403
    assert uwe.post("/cases/do/note", note, origin="https://evil.example").status == 403
    assert uwe.get(f"/endpoints/{shop.TRIAL}").status == 404
    assert uwe.get("/endpoints/atm-eu").status == 404
    for path in ("/static/..%2fapp.py", "/../../etc/passwd", "/%00", "//evil.example/"):
        assert uwe.get(path).status == 404, path
    assert uwe.get("/", host="evil.example").status == 421
    for query in ("' OR 1=1 --", "'; DROP TABLE ledger.entry; --", "{{1234*5678}}"):
        answer = uwe.get(f"/search?q={query.replace(' ', '%20')}")
        assert (answer.status, troubles.PAID in answer.text) == (200, False)
        assert "7006652" not in answer.text
    logged = set(re.findall(r'"reason": "(\w+)"', live.log))
    assert logged >= {"unknown", "role", "csrf", "host", "forged"}
    for reason in ("unknown", "role", "csrf", "host", "session"):
        assert f'payrouter_console_refused_total{{reason="{reason}"}} 0.0' not in live.metrics()


def test_people_of_one_account_see_nothing_of_another(live: LiveConsole, found: Found) -> None:
    uwe = signed_in(live.port, "uwe", PASSWORDS["uwe"])
    answers = {path: uwe.get(path) for path in found if "q=" not in path}
    # A page may repeat the account that its own address names.
    words = (troubles.PAID, troubles.SHORT, troubles.UNKNOWN, "atm-eu")
    for path, answer in answers.items():
        shown = [each for each in (*words, shop.EU) if each in answer.text and each not in path]
        assert shown == [], path
    assert {answer.status for answer in answers.values()} <= {200, 403, 404}


def test_every_action_is_carried_out_by_clicks(people: People) -> None:
    """It comes last: it removes the troubles that other tests look at."""
    assert list(carry_out(people)) == list(WALKS)
