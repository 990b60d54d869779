"""A running console on a real socket, and people who visit it through a trusted proxy."""

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from consumers.console.app import build_console
from consumers.runtime.configured import Consumer
from router.configuration.settings import Settings
from router.telemetry.management import listen, serving

HEADER = "x-person"
"""The header in which the proxy of the tests names the person."""

PEOPLE: Mapping[str, Mapping[str, object]] = {
    "ana": {"roles": {"*": "operator"}, "personal": True},
    "sam": {"roles": {"*": "viewer"}},
    "eva": {"roles": {"shop-us": "viewer"}, "personal": True},
    "uli": {"roles": {"shop-us": "operator"}, "personal": True},
}
"""An operator and a viewer of every account, a viewer and an operator of another account."""

CONSOLE: Mapping[str, Any] = {
    "port": 0,
    "actions": True,
    "proxy_header": HEADER,
    "trusted_proxies": ["127.0.0.1"],
    "users": PEOPLE,
}
"""`[console]` of the tests."""


class _Seen(HTMLParser):
    """Collects the links and the hidden fields of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        if tag == "a" and own.get("href"):
            self.links.append(str(own["href"]))
        if tag == "input" and own.get("type") == "hidden" and "sign-out" not in str(own):
            self.fields.append((str(own.get("name")), str(own.get("value") or "")))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@dataclass(frozen=True)
class Shown:
    """An answer of the console."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def seen(self) -> _Seen:
        """The page, parsed."""
        seen = _Seen()
        seen.feed(self.body)
        return seen

    @property
    def text(self) -> str:
        """The text of the page, with single blanks."""
        return " ".join(" ".join(self.seen.words).split())

    def links(self, part: str) -> Sequence[str]:
        """Return the links that contain a text."""
        return [each for each in self.seen.links if part in each]


@dataclass
class Visitor:
    """A person with a browser."""

    port: int
    name: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Shown:
        """Open a path."""
        return await asyncio.to_thread(self._ask, "GET", path, None, headers)

    async def post(self, path: str, fields: Sequence[tuple[str, str]], **headers: str) -> Shown:
        """Send a form, as a browser sends it from a page of the console."""
        own = {"origin": f"http://127.0.0.1:{self.port}", **headers}
        return await asyncio.to_thread(self._ask, "POST", path, urlencode(fields), own)

    async def confirm(self, preview: Shown, path: str, reason: str = "asked for") -> Shown:
        """Send the form of an action's preview with a reason."""
        return await self.post(path, [*preview.seen.fields, ("reason", reason)])

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Shown:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        own = {HEADER: self.name, **({"cookie": kept} if kept else {}), **headers}
        if body is not None:
            own["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, own)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition(";")[0].partition("=")
                self.cookies[cookie] = rest
        return Shown(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)


@dataclass(frozen=True)
class OpenConsole:
    """A console that serves."""

    port: int

    def person(self, name: str) -> Visitor:
        """Return a person with a new browser."""
        return Visitor(self.port, name)


@contextlib.asynccontextmanager
async def open_console(
    settings: Settings, consumers: Sequence[Consumer]
) -> AsyncIterator[OpenConsole]:
    """Serve the console of a configuration while the block runs."""
    process = build_console(settings, consumers)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with process.running(), serving(process.application, listener, lifespan="off"):
        yield OpenConsole(port)
