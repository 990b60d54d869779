"""Decides who a request is from: the proxy's header, a session, or the loopback interface."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request

from consumers.console.access.attempts import Attempts
from consumers.console.access.people import People
from consumers.console.access.sessions import (
    ConsoleSession,
    SessionLimits,
    SessionRefused,
    Sessions,
)
from consumers.console.access.viewer import Viewer
from consumers.console.serving.headers import is_loopback
from consumers.console.serving.tokens import ConsoleTokens
from router.configuration.addresses import is_among, networks, source_of
from router.configuration.process_settings import ConsoleSettings

NOBODY: Final = Viewer("")


@dataclass(frozen=True)
class Admitted:
    """Person of a request, with the session if there is one; `refused` is why there is no one."""

    viewer: Viewer = NOBODY
    session: ConsoleSession | None = None
    refused: str = ""


@dataclass(frozen=True)
class ConsoleDoor:
    """What admission needs."""

    settings: ConsoleSettings
    people: People
    sessions: Sessions
    tokens: ConsoleTokens
    attempts: Attempts
    seconds: Callable[[], float]
    """The time in seconds, of the same clock as the sessions."""

    def admit(self, request: Request) -> Admitted:
        """Return the person of a request."""
        proxied = self._proxied(request)
        if proxied is not None:
            return proxied
        cookie = request.cookies.get(self.cookie_name("session", request))
        if cookie:
            return self._of_session(cookie)
        if not self.settings.signs_in:
            return Admitted(self.people.local())
        return Admitted()

    def source(self, request: Request) -> str:
        """Return the address of a request's sender; a trusted proxy names it."""
        trusted = networks(self.settings.trusted_proxies)
        return source_of(_peer(request), request.headers.raw, trusted)

    def is_secure(self, request: Request) -> bool:
        """Return whether cookies are sent over TLS only: everywhere but on the loopback."""
        return not is_loopback(request.url.hostname or "")

    def cookie_name(self, purpose: str, request: Request) -> str:
        """Return the name of a cookie; several consoles of a machine have different ones."""
        if self.is_secure(request):
            return f"__Host-payrouter-{purpose}"
        return f"payrouter-{purpose}-{request.url.port or self.settings.port}"

    def _of_session(self, cookie: str) -> Admitted:
        try:
            session, viewer = self.sessions.read(cookie, int(self.seconds()))
        except SessionRefused as error:
            return Admitted(refused=error.why)
        return Admitted(viewer, session)

    def _proxied(self, request: Request) -> Admitted | None:
        header = self.settings.proxy_header
        if header is None or header.lower() not in request.headers:
            return None
        if not self._is_trusted(_peer(request)):
            return Admitted(refused="proxy")
        names = request.headers.getlist(header)
        groups = request.headers.get(self.settings.proxy_groups_header or "", "")
        viewer = self.people.named(
            names[0].strip(), [each.strip() for each in groups.split(",") if each.strip()]
        )
        if len(names) > 1 or viewer is None:
            return Admitted(refused="proxy")
        return Admitted(viewer)

    def _is_trusted(self, peer: str | None) -> bool:
        try:
            address = ip_address(peer or "")
        except ValueError:
            return False
        return is_among(address, networks(self.settings.trusted_proxies))


def _peer(request: Request) -> str | None:
    return request.client.host if request.client else None


def make_door(settings: ConsoleSettings, seconds: Callable[[], float]) -> ConsoleDoor:
    """Return the admission for a configuration; without a secret, sessions end with the process."""
    given = settings.session_secret
    secret = secrets.token_urlsafe(32) if given is None else given.get_secret_value()
    people = People(settings)
    limits = SessionLimits(settings.idle_minutes * 60, settings.session_hours * 3600)
    return ConsoleDoor(
        settings,
        people,
        Sessions(secret, limits, people),
        ConsoleTokens(secret),
        Attempts(settings.failed_sign_ins),
        seconds,
    )
