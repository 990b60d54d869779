"""Sign-in at the real console over a socket: passwords, sessions, and who is refused."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer

from consumers.console.access.sessions import ConsoleSession, SessionLimits, Sessions
from router.configuration.process_settings import ConsoleUserSettings
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.serving import NO_DATABASE, ServedConsole, quickly_hashed, served_console

PASSWORD = "correct horse battery"
REFUSED = "payrouter_console_refused_total"


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@dataclass(frozen=True)
class Local:
    """A console with local users, and its clock."""

    console: ServedConsole
    clock: Clock = field(default_factory=Clock)

    async def signed_in(self) -> ConsoleBrowser:
        """Return a browser in which maria is signed in."""
        browser = self.console.browser()
        answer = await browser.sign_in("maria", PASSWORD)
        assert answer.status == 303
        return browser

    def refused(self, reason: str) -> float:
        """Return how many requests were refused for a reason."""
        return self.console.counted(REFUSED, reason=reason)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """Serve a console for an operator, and someone without a role."""
    password_hash, clock = quickly_hashed(PASSWORD), Clock()
    text = f"""
{NO_DATABASE}
[console]
actions = true
failed_sign_ins = 3
idle_minutes = 60
session_hours = 2

[console.users.maria]
password_hash = "{password_hash}"
roles = {{ shop = "operator" }}

[console.users.idle]
password_hash = "{password_hash}"
"""
    async with served_console(tmp_path, text, seconds=clock) as served:
        yield Local(served, clock)


def session_cookie(browser: ConsoleBrowser) -> str:
    """Return the name of the cookie of the session."""
    return next(name for name in browser.cookies if "session" in name)


async def test_person_signs_in_and_returns_to_the_page_requested(local: Local) -> None:
    browser = local.console.browser()
    asked = await browser.get("/cases?kind=x")
    assert (asked.status, asked.header("location")) == (303, "/sign-in?next=%2Fcases%3Fkind%3Dx")
    answer = await browser.sign_in("maria", PASSWORD, "/cases?kind=x")
    assert (answer.status, answer.header("location")) == (303, "/cases?kind=x")
    shown = await browser.get("/")
    assert shown.status == 200
    assert "maria" in shown.text


async def test_cookie_of_a_session_is_hidden_from_scripts_and_other_sites(local: Local) -> None:
    browser = local.console.browser()
    answer = await browser.sign_in("maria", PASSWORD)
    cookies = [value for name, value in answer.headers if name == "set-cookie"]
    (session,) = (each for each in cookies if each.startswith("payrouter-session"))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "maria" not in session


@pytest.mark.parametrize(
    ("name", "password"), [("maria", "wrong"), ("nobody", PASSWORD), ("idle", PASSWORD), ("", "")]
)
async def test_wrong_name_or_password_is_refused(local: Local, name: str, password: str) -> None:
    browser = local.console.browser()
    answer = await browser.sign_in(name, password)
    assert answer.status == 401
    assert "Name or password is wrong" in answer.text
    assert (await browser.get("/")).status == 303
    assert local.refused("sign_in") == 1


async def test_many_failed_sign_ins_are_refused_for_a_while(local: Local) -> None:
    for _ in range(3):
        await local.console.browser().sign_in("maria", "wrong")
    answer = await local.console.browser().sign_in("maria", PASSWORD)
    assert answer.status == 429
    assert local.refused("too_many_sign_ins") == 1
    local.clock.now += 301
    assert (await local.console.browser().sign_in("maria", PASSWORD)).status == 303


async def test_session_ends_after_idleness_and_in_any_case(local: Local) -> None:
    browser = await local.signed_in()
    local.clock.now += 3600
    assert (await browser.get("/")).status == 200
    local.clock.now += 3601
    assert (await browser.get("/")).status == 303
    assert local.refused("session") == 1
    browser = await local.signed_in()
    for _ in range(2):
        local.clock.now += 3599
        assert (await browser.get("/")).status == 200
    local.clock.now += 10
    assert (await browser.get("/")).status == 303


async def test_page_that_updates_itself_keeps_no_session_alive(local: Local) -> None:
    browser = await local.signed_in()
    local.clock.now += 3000
    assert (await browser.get("/", {"hx-request": "true"})).status == 200
    local.clock.now += 3000
    ended = await browser.get("/", {"hx-request": "true"})
    assert (ended.status, ended.header("hx-refresh")) == (401, "true")


async def test_sign_out_ends_the_session_everywhere(local: Local) -> None:
    browser = await local.signed_in()
    other = local.console.browser()
    other.cookies.update(browser.cookies)
    page = await browser.get("/")
    assert (await browser.post("/sign-out", {"csrf": page.csrf})).status == 303
    assert (await other.get("/")).status == 303


async def test_altered_and_forged_sessions_are_refused(local: Local) -> None:
    browser = await local.signed_in()
    name = session_cookie(browser)
    genuine = browser.cookies[name]
    people = local.console.process.people
    other = Sessions("another secret", SessionLimits(3600, 7200), people)
    now = int(local.clock.now)
    forged = other.cookie(other.by_password("maria", now))
    packed = ["id", "maria", [], now, now, ""]
    unsalted = str(URLSafeSerializer("another secret").dumps(packed))
    altered = genuine[:-3] + ("AAA" if genuine[-3:] != "AAA" else "BBB")
    for cookie in (forged, unsalted, altered, genuine[:-1], "x", "a.b.c", "." * 3000):
        browser.cookies[name] = cookie
        assert (await browser.get("/")).status == 303, cookie
        assert name not in browser.cookies
    assert local.refused("session") == 7
    browser.cookies[name] = genuine
    assert (await browser.get("/")).status == 200


async def test_removed_person_and_changed_password_end_the_session(local: Local) -> None:
    browser = await local.signed_in()
    people = local.console.process.people
    before = people.settings
    changed = ConsoleUserSettings.model_validate(
        {"password_hash": quickly_hashed("another password"), "roles": {"shop": "operator"}}
    )
    kept = dict(browser.cookies)
    for users in ({}, {"maria": changed}, {"maria": changed.model_copy(update={"roles": {}})}):
        people.settings = before.model_copy(update={"users": users})
        browser.cookies.update(kept)
        assert (await browser.get("/")).status == 303
    people.settings = before
    browser.cookies.update(kept)
    assert (await browser.get("/")).status == 200


async def test_session_of_a_provider_has_no_proof_of_a_password(local: Local) -> None:
    sessions = Sessions("s" * 32, SessionLimits(60, 60), local.console.process.people)
    session = sessions.by_provider("maria", ["support"], 0)
    assert isinstance(session, ConsoleSession)
    assert sessions.read(sessions.cookie(session), 0)[1].name == "maria"
