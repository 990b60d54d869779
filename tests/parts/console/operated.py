"""A console of two small consumers on the real broker and database, with several people."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from consumers.console.access.passwords import hashed
from consumers.runtime.service import Service
from consumers.runtime.store.migrate import upgrade
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.serving import ServedConsole, served_console
from tests.parts.runtime.commands import install_only
from tests.parts.runtime.counting import SERVICE as COUNTING
from tests.parts.runtime.members import Feed
from tests.parts.runtime.parcels import SERVICE as PARCELS

PASSWORD: Final = "correct horse battery"

_PEOPLE: Final = """
[console]
actions = true

[console.users.anna]
password_hash = "{hash}"
roles = {{ "*" = "admin" }}
personal = true

[console.users.otto]
password_hash = "{hash}"
roles = {{ shop-eu = "operator" }}

[console.users.vera]
password_hash = "{hash}"
roles = {{ shop-eu = "viewer", shop-us = "operator" }}
"""


@dataclass(frozen=True)
class PeopledConsole:
    """A console that is served, with several people."""

    served: ServedConsole

    async def person(self, name: str) -> ConsoleBrowser:
        """Return the browser of a user who is signed in: anna, otto or vera."""
        browser = self.served.browser()
        answer = await browser.sign_in(name, PASSWORD)
        assert answer.status == 303, answer.text
        return browser


@dataclass(frozen=True)
class OperatedConsole:
    """The same, and the feed of one of its consumers."""

    people: PeopledConsole
    feed: Feed

    @property
    def served(self) -> ServedConsole:
        """The console."""
        return self.people.served

    async def person(self, name: str) -> ConsoleBrowser:
        """Return the browser of a user who is signed in."""
        return await self.people.person(name)


@asynccontextmanager
async def peopled_console(
    folder: Path, monkeypatch: pytest.MonkeyPatch, configuration: str, *services: Service
) -> AsyncIterator[PeopledConsole]:
    """Serve a console of these consumers, with actions."""
    install_only(monkeypatch, *services)
    people = _PEOPLE.format(hash=hashed(PASSWORD))
    async with served_console(folder, f"{configuration}{people}") as served:
        yield PeopledConsole(served)


@asynccontextmanager
async def operated_console(
    feed: Feed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OperatedConsole]:
    """Serve a console of the counting consumer and of the parcels."""
    await upgrade(feed.engine, PARCELS)
    url = feed.engine.url.render_as_string(hide_password=False)
    configuration = (
        f'[kafka]\nbootstrap_servers = "{feed.broker.bootstrap}"\n'
        f'[topics]\nprefix = "{feed.prefix}"\nreplication_factor = 1\nmin_insync_replicas = 1\n'
        f'[database]\nurl = "{url}"\n'
        f'[consumers.counting]\ngroup_id = "{feed.group}"\n'
    )
    services = (COUNTING, PARCELS)
    async with peopled_console(folder, monkeypatch, configuration, *services) as people:
        yield OperatedConsole(people, feed)
