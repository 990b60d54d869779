"""A browser without JavaScript: keeps cookies, and sends forms as browsers do."""

import asyncio
import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

_SECONDS = 60
_INPUT = re.compile(r"<input\b[^>]*>")
_ATTRIBUTE = re.compile(r'(\w[\w-]*)="([^"]*)"')

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class PageShown:
    """Answer of the console."""

    status: int
    headers: Sequence[tuple[str, str]]
    text: str

    def header(self, name: str) -> str | None:
        """Return the value of a header, None if it is missing."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def hidden(self, within: str = "<main") -> Sequence[tuple[str, str]]:
        """Return the hidden fields that the page has after a text, of the first form there."""
        form = self.text[self.text.index(within) :]
        form = form[form.index('method="post"') :]
        inputs = _INPUT.findall(form[: form.index("</form>")])
        attributes = [dict(_ATTRIBUTE.findall(each)) for each in inputs]
        return [
            (unescape(each["name"]), unescape(each.get("value", "")))
            for each in attributes
            if each.get("type") == "hidden"
        ]

    @property
    def csrf(self) -> str:
        """The token of the page's forms."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class ConsoleBrowser:
    """One browser at a console on the loopback interface."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request, such as those that a trusted proxy adds."""

    @property
    def origin(self) -> str:
        """The console's own origin."""
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> PageShown:
        """Load a page; redirects are not followed."""
        return await self.send("GET", path, headers=headers)

    async def follow(self, path: str) -> PageShown:
        """Load a page and follow its redirects."""
        answer = await self.get(path)
        while answer.status in {302, 303}:
            answer = await self.get(answer.header("location") or "/")
        return answer

    async def post(
        self, path: str, fields: Pairs = (), headers: Mapping[str, str] | None = None
    ) -> PageShown:
        """Send a form from a page of the console."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": self.origin,
            **(headers or {}),
        }
        return await self.send("POST", path, urlencode(pairs).encode(), sent)

    async def sign_in(self, name: str, password: str, following: str = "/") -> PageShown:
        """Sign in with name and password."""
        form = await self.get("/sign-in")
        fields = {"csrf": form.csrf, "name": name, "password": password, "next": following}
        return await self.post("/sign-in", fields)

    async def act(self, path: str, reason: str, **fields: str) -> PageShown:
        """Load the preview of an action and confirm it with a reason."""
        preview = await self.get(path)
        assert preview.status == 200, (preview.status, preview.text)
        sent = [*preview.hidden(), *fields.items(), ("reason", reason)]
        return await self.post(path.partition("?")[0], sent)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PageShown:
        """Send any request with the cookies, and keep those of the answer."""
        return await asyncio.to_thread(self._send, method, path, body, headers or {})

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> PageShown:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            sent = {**({"cookie": cookies} if cookies else {}), **self.own, **headers}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode("utf-8")
            shown = PageShown(response.status, response.getheaders(), text)
        finally:
            connection.close()
        self._keep(shown)
        return shown

    def _keep(self, shown: PageShown) -> None:
        for key, value in shown.headers:
            if key.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                text = rest.partition(";")[0].strip('"')
                if "max-age=0" in value.lower() or not text:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = text
