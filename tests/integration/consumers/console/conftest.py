"""A console with a sample page, and people with different roles."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from consumers.console.app import PAGES
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.sample_page import TEXTS, SamplePage, SampleRow
from tests.parts.console.serving import NO_DATABASE, ServedConsole, quickly_hashed, served_console

PASSWORD = "correct horse battery"

ROLES = {
    "olga": '{ shop = "operator" }',
    "vera": '{ shop = "viewer", other = "operator" }',
    "ada": '{ "*" = "admin" }',
}


@dataclass(frozen=True)
class Sampled:
    """A served console, its sample page, and its people."""

    console: ServedConsole
    sample: SamplePage

    async def browser(self, name: str) -> ConsoleBrowser:
        """Return a browser in which someone is signed in."""
        browser = self.console.browser()
        assert (await browser.sign_in(name, PASSWORD)).status == 303
        return browser

    def refused(self, reason: str) -> float:
        """Return how many requests were refused for a reason."""
        return self.console.counted("payrouter_console_refused_total", reason=reason)


@pytest.fixture
async def sampled(tmp_path: Path) -> AsyncIterator[Sampled]:
    """Serve the sample page: 25 rows, those with odd numbers are of another account."""
    password_hash = quickly_hashed(PASSWORD)
    people = "".join(
        f'[console.users.{name}]\npassword_hash = "{password_hash}"\nroles = {roles}\n'
        f"personal = {str(name == 'ada').lower()}\n"
        for name, roles in ROLES.items()
    )
    rows = [
        SampleRow(n, "other" if n % 2 else "shop", f"=cmd{n}", Decimal(f"-{n}.500"))
        for n in range(25)
    ]
    sample = SamplePage(rows)
    pages = [sample.page() if page.name == "cases" else page for page in PAGES]
    text = f"{NO_DATABASE}\n[console]\nactions = true\n{people}"
    async with served_console(tmp_path, text, pages, more_texts=TEXTS) as served:
        yield Sampled(served, sample)
