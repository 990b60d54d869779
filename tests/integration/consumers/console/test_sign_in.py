"""Sign-in at the real console over a socket: passwords, sessions, and who is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumers.console.access.passwords import hashed
from tests.parts.console.serving import NO_DATABASE, ServedConsole, served_console

PASSWORD = "correct horse battery"


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[ServedConsole]:
    """Serve a console for one operator and one viewer."""
    users = f"""
{NO_DATABASE}
[console]
actions = true
failed_sign_ins = 3

[console.users.maria]
password_hash = "{hashed(PASSWORD)}"
roles = {{ shop = "operator" }}

[console.users.gone]
password_hash = "{hashed(PASSWORD)}"
"""
    async with served_console(tmp_path, users) as served:
        yield served


async def test_person_signs_in_and_returns_to_the_page_that_was_asked_for(
    console: ServedConsole,
) -> None:
    browser = console.browser()
    asked = await browser.get("/cases?kind=x")
    assert (asked.status, asked.header("location")) == (303, "/sign-in?next=%2Fcases%3Fkind%3Dx")
    answer = await browser.sign_in("maria", PASSWORD, "/cases?kind=x")
    assert (answer.status, answer.header("location")) == (303, "/cases?kind=x")
    shown = await browser.get("/")
    assert shown.status == 200
    assert "maria" in shown.text
