"""Requests to the console without a browser: of people who signed in, and of attackers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode

_TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
_SECONDS: Final = 30


@dataclass(frozen=True)
class Answered:
    """An answer of the console."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def token(self) -> str:
        """The token that the page's forms send back."""
        found = _TOKEN.search(self.text)
        assert found is not None, self.text[:500]
        return found[1]


@dataclass
class ConsoleClient:
    """A client with cookies; it follows no redirects."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answered:
        """Return the answer to a GET."""
        return self.ask("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answered:
        """Return the answer to a form, which has the console's own origin unless given."""
        usual = {"origin": f"http://127.0.0.1:{self.port}"}
        form = {"content-type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields).encode(), {**usual, **form, **headers})

    def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answered:
        """Send exactly this request with the cookies, and keep those that are set."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            connection.putrequest(method, path, skip_host="host" in headers)
            kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            sent = {**({"cookie": kept} if kept else {}), **headers}
            if body is not None:
                sent["content-length"] = str(len(body))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            for value in answer.headers.get_all("set-cookie", []):
                self._keep(value)
            text = answer.read().decode("utf-8", "replace")
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, found, text)
        finally:
            connection.close()

    def _keep(self, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            if morsel.value and morsel["max-age"] != "0":
                self.cookies[name] = morsel.value
            else:
                self.cookies.pop(name, None)


def signed_in(port: int, name: str, password: str) -> ConsoleClient:
    """Sign in with name and password."""
    client = ConsoleClient(port)
    token = client.get("/sign-in").token
    answer = client.post("/sign-in", {"csrf": token, "name": name, "password": password})
    assert answer.status == 303, answer.text
    return client
