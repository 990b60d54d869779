"""The page of endpoints over a socket: what it shows, to whom, and why it refuses."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.parts.console import shop
from tests.parts.console.browsing import ConsoleBrowser, PageShown
from tests.parts.console.serving import (
    NO_DATABASE,
    ServedConsole,
    quickly_hashed,
    served_console,
)
from tests.parts.ports import free_port
from tests.parts.waiting import eventually

PASSWORD = "correct horse battery"
SECRETS = (*shop.SECRETS.values(), shop.TOKEN)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[ServedConsole]:
    """Serve the console of the shop, whose edge does not answer."""
    hashed = quickly_hashed(PASSWORD)
    people = {
        "ada": '"*" = "admin"',
        "vera": f'{shop.EU} = "viewer"',
        "uwe": f'{shop.US} = "admin"',
    }
    lines = [
        NO_DATABASE,
        shop.configuration(knows_settled=True),
        "[edge]",
        f"port = {free_port()}",
        "[console]",
        "actions = true",
        f'edges = ["http://127.0.0.1:{free_port()}/metrics"]',
        *(
            f'[console.users.{name}]\npassword_hash = "{hashed}"\nroles = {{ {roles} }}'
            for name, roles in people.items()
        ),
    ]
    async with served_console(tmp_path, "\n".join(lines)) as served:
        yield served


async def browser_of(console: ServedConsole, name: str) -> ConsoleBrowser:
    browser = console.browser()
    assert (await browser.sign_in(name, PASSWORD)).status == 303
    return browser


async def names(browser: ConsoleBrowser, query: str = "") -> list[str]:
    found = json.loads((await browser.get(f"/endpoints.json{query}")).text)
    return [each["endpoint"] for each in found]


def has_no_secret(shown: PageShown) -> bool:
    return not any(secret in shown.text for secret in SECRETS)


async def test_every_endpoint_is_listed_without_its_secrets(console: ServedConsole) -> None:
    browser = await browser_of(console, "ada")
    assert await names(browser) == ["acme", "atm-eu", "atm-odd", "atm-us", "trial"]
    for path in ("/endpoints", "/endpoints.csv", "/endpoints.json", "/endpoints/trial"):
        shown = await browser.get(path)
        assert (shown.status, has_no_secret(shown)) == (200, True), path
        assert "/webhooks/trial/•••" in shown.text


async def test_filters_choose_endpoints(console: ServedConsole) -> None:
    browser = await browser_of(console, "ada")
    assert await names(browser, "?account=shop-eu") == ["acme", "atm-eu"]
    assert await names(browser, "?provider=blockatm") == ["atm-eu", "atm-odd", "atm-us"]
    assert await names(browser, "?mode=test&span=24h") == ["trial"]
    assert (await browser.get("/endpoints?span=1w")).status == 400
    assert (await browser.get("/endpoints?after=!")).status == 400


async def test_edges_that_do_not_answer_are_named_and_counts_are_unknown(
    console: ServedConsole,
) -> None:
    browser = await browser_of(console, "ada")

    async def named() -> bool:
        shown = await browser.get("/endpoints/atm-eu")
        return "was not read" in shown.text and "not measured" in shown.text

    await eventually(named, "a sentence about the edge")
    found = json.loads((await browser.get("/endpoints.json")).text)
    assert {each["accepted"] for each in found} == {None}


async def test_endpoints_of_other_accounts_look_like_unknown_ones(console: ServedConsole) -> None:
    browser = await browser_of(console, "vera")
    assert await names(browser) == ["acme", "atm-eu"]
    unknown = await browser.get("/endpoints/none")
    foreign = await browser.get("/endpoints/atm-us")
    assert (unknown.status, foreign.status) == (404, 404)
    assert foreign.text.replace("atm-us", "none") == unknown.text
    # The reasons of a gateway are counted for endpoints of other accounts as well.
    assert "accounts that you may not see" in (await browser.get("/endpoints/atm-eu")).text


async def test_test_delivery_is_refused_to_a_viewer_and_to_another_account(
    console: ServedConsole,
) -> None:
    viewer, other = await browser_of(console, "vera"), await browser_of(console, "uwe")
    path = "/endpoints/do/trial?endpoint=trial"
    with capture_logs() as log:
        assert (await viewer.get(path)).status == 403
        assert (await other.get(path)).status == 404
    assert [each["reason"] for each in log] == ["role", "unknown"]


async def test_test_delivery_to_a_live_endpoint_is_explained(console: ServedConsole) -> None:
    browser = await browser_of(console, "ada")
    shown = await browser.get("/endpoints/do/trial?endpoint=atm-eu")
    assert "booked as real money" in shown.text
    assert 'name="reason"' not in shown.text
    csrf = shown.csrf
    fields = {"csrf": csrf, "endpoint": "atm-eu", "reason": "x", "expected_count": "1"}
    answer = await browser.post("/endpoints/do/trial", {**fields, "type": "payment.confirmed"})
    assert answer.status != 303


async def test_test_delivery_is_not_sent_if_it_cannot_be_recorded(console: ServedConsole) -> None:
    browser = await browser_of(console, "ada")
    answer = await browser.act(
        "/endpoints/do/trial?endpoint=trial", "see it", type="payment.pending"
    )
    assert answer.status == 503
