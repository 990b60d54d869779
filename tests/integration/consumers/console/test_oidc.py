"""Sign-in by a real OpenID Connect provider over sockets."""

import base64
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.parts.console.browsing import ConsoleBrowser, PageShown
from tests.parts.console.oidc_provider import (
    OidcProvider,
    oidc_provider,
    other_key,
    query_of,
    returned_path,
)
from tests.parts.console.serving import NO_DATABASE, ServedConsole, served_console

SECRET = "oidc-client-secret-of-a-test"
REFUSED = "payrouter_console_refused_total"


@dataclass(frozen=True)
class Signing:
    """A console with a provider."""

    console: ServedConsole
    provider: OidcProvider

    async def begun(self, browser: ConsoleBrowser, following: str = "/cases") -> str:
        """Begin a sign-in, and return the URL of the provider."""
        begun = await browser.get(f"/sign-in/oidc?next={following}")
        assert begun.status == 303, begun.text
        return begun.header("location") or ""

    async def signed_in(self, browser: ConsoleBrowser) -> PageShown:
        """Sign in, as a browser does."""
        return await browser.get(back_from(await self.begun(browser)))


def back_from(url: str) -> str:
    """Load the provider's page, and return the path to which it sends the browser."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", f"/{path}")
        location = connection.getresponse().getheader("location")
    finally:
        connection.close()
    assert location is not None
    return returned_path(location)


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    """Run a provider at which maria of the support signs in."""
    with oidc_provider(SECRET) as running:
        running.claims = {"preferred_username": "maria", "groups": ["support", "unknown"]}
        yield running


@pytest.fixture
async def signing(tmp_path: Path, provider: OidcProvider) -> AsyncIterator[Signing]:
    """Serve a console that trusts the provider."""
    text = f"""
{NO_DATABASE}
[console]
public_url = "http://127.0.0.1:9480"

[console.oidc]
issuer = "{provider.issuer}"
client_id = "payrouter-console"
client_secret = "{SECRET}"

[console.groups.support]
roles = {{ shop = "operator" }}
"""
    async with served_console(tmp_path, text) as served:
        yield Signing(served, provider)


async def test_member_of_a_group_signs_in_and_returns_to_the_page(signing: Signing) -> None:
    browser = signing.console.browser()
    answer = await signing.signed_in(browser)
    assert (answer.status, answer.header("location")) == (303, "/cases")
    shown = await browser.get("/cases")
    assert shown.status == 200
    assert "maria" in shown.text
    assert signing.provider.problems == []


async def test_start_asks_for_a_code_with_a_challenge_and_a_nonce(signing: Signing) -> None:
    query = query_of(await signing.begun(signing.console.browser()))
    assert query["scope"] == "openid profile email"
    assert query["redirect_uri"] == "http://127.0.0.1:9480/sign-in/oidc/callback"
    assert len(query["state"]) == len(query["nonce"]) == len(query["code_challenge"]) == 43


async def test_person_without_a_configured_group_is_refused(signing: Signing) -> None:
    signing.provider.claims = {"preferred_username": "eve", "groups": ["others"]}
    browser = signing.console.browser()
    answer = await signing.signed_in(browser)
    assert answer.status == 403
    assert "gave you a role" in answer.text
    assert (await browser.get("/cases")).status == 303


async def test_return_to_another_browser_is_refused(signing: Signing) -> None:
    path = back_from(await signing.begun(signing.console.browser()))
    other = signing.console.browser()
    await signing.begun(other)
    assert (await other.get(path)).status == 400
    assert (await signing.console.browser().get(path)).status == 400
    assert signing.console.counted(REFUSED, reason="sign_in") == 2


async def test_code_counts_once(signing: Signing) -> None:
    browser = signing.console.browser()
    path = back_from(await signing.begun(browser))
    kept = dict(browser.cookies)
    assert (await browser.get(path)).status == 303
    browser.cookies.update(kept)
    assert (await browser.get(path)).status == 503


def unsigned(provider: OidcProvider, nonce: str) -> str:
    """Return a token without a signature."""
    claims: dict[str, Any] = {"iss": provider.issuer, "aud": "payrouter-console", "sub": "1"}
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 300, "nonce": nonce}
    parts = [{"alg": "none", "kid": "first"}, {**claims, **provider.claims}]
    texts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in parts]
    return ".".join([*(each.rstrip("=") for each in texts), ""])


async def test_identity_that_is_not_proven_is_refused(signing: Signing) -> None:
    provider = signing.provider
    forgeries: list[Callable[[str], str]] = [
        lambda nonce: provider.signed(other_key(), nonce=nonce),
        lambda nonce: unsigned(provider, nonce),
        lambda nonce: provider.signed(nonce=nonce, aud="another-client"),
        lambda nonce: provider.signed(nonce=nonce, iss="http://elsewhere"),
        lambda nonce: provider.signed(nonce=nonce, exp=int(time.time()) - 3600),
        lambda _nonce: provider.signed(nonce="of-another-sign-in"),
        lambda nonce: provider.signed(nonce=nonce, preferred_username=""),
        lambda nonce: provider.signed(nonce=nonce, preferred_username=["maria"]),
    ]
    for forge in forgeries:
        browser = signing.console.browser()
        url = await signing.begun(browser)
        provider.answer_token = forge(query_of(url)["nonce"])
        assert (await browser.get(back_from(url))).status == 401
        assert (await browser.get("/cases")).status == 303
    assert signing.console.counted(REFUSED, reason="sign_in") == 8


async def test_provider_that_is_away_is_a_clear_page(signing: Signing) -> None:
    signing.provider.issuer = "http://another.example"
    answer = await signing.console.browser().get("/sign-in/oidc")
    assert answer.status == 503
    assert "did not confirm" in answer.text


async def test_link_in_next_leads_to_no_other_site(signing: Signing) -> None:
    browser = signing.console.browser()
    url = await signing.begun(browser, "//evil.example/x")
    assert (await browser.get(back_from(url))).header("location") == "/"
