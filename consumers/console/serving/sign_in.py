"""Sign-in with name and password, and sign-out."""

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from consumers.console.access.passwords import NOBODY, matches
from consumers.console.serving.admission import Admitted, ConsoleDoor
from consumers.console.serving.handling import RequestHandling
from consumers.console.web.answers import Html, Redirect
from consumers.console.web.visit import ConsoleVisit
from router.configuration.addresses import budget_source

_LONGEST: Final = 1000


@dataclass(frozen=True)
class SignIn:
    """Handlers of `/sign-in` and `/sign-out`."""

    handling: RequestHandling
    busy: asyncio.Semaphore
    """Passwords that are checked at the same time: each takes memory and a core."""

    @property
    def door(self) -> ConsoleDoor:
        """The admission."""
        return self.handling.door

    async def show(self, request: Request, visit: ConsoleVisit, _admitted: Admitted) -> Response:
        """Show the form."""
        return self.form(request, visit, local_path(visit.query.one("next", "/")), "")

    async def check(self, request: Request, visit: ConsoleVisit, _admitted: Admitted) -> Response:
        """Check name and password."""
        name, password = visit.form.one("name")[:_LONGEST], _password(visit)
        following = local_path(visit.form.one("next", "/"))
        source = budget_source(self.door.source(request))
        now = self.door.seconds()
        if self.door.attempts.exceeded(name, source, now):
            self._count("too_many_sign_ins", name, source)
            return self.form(request, visit, following, "web.sign_in.too_many", 429)
        if not await self._is_right(name, password):
            self.door.attempts.fail(name, source, now)
            self._count("sign_in", name, source)
            return self.form(request, visit, following, "web.sign_in.wrong", 401)
        self.handling.log.info("console_signed_in", person=name, source=source)
        session = self.door.sessions.by_password(name, int(now))
        responses = self.handling.responses
        response = responses.of(request, visit, Redirect(following))
        responses.set_cookie(request, response, "session", self.door.sessions.cookie(session))
        return response

    async def leave(self, request: Request, visit: ConsoleVisit, admitted: Admitted) -> Response:
        """End the session."""
        response = self.handling.responses.of(request, visit, Redirect("/sign-in"))
        if admitted.session is not None:
            self.door.sessions.end(admitted.session, int(self.door.seconds()))
            self.handling.log.info("console_signed_out", person=admitted.viewer.name)
        self.handling.responses.delete_cookie(request, response, "session")
        return response

    async def _is_right(self, name: str, password: str) -> bool:
        kept = self.door.people.password_hash(name)
        async with self.busy:
            right = await asyncio.to_thread(matches, password, kept or NOBODY)
        # Someone without a role is not admitted either.
        return right and kept is not None and self.door.people.named(name) is not None

    def _count(self, reason: str, name: str, source: str) -> None:
        self.handling.metrics.refused.labels(reason).inc()
        self.handling.log.warning(
            "console_sign_in_refused", reason=reason, person=name[:100], source=source
        )

    def form(
        self, request: Request, visit: ConsoleVisit, following: str, key: str, status: int = 200
    ) -> Response:
        """Return the page with the form, and a problem if there is one."""
        settings = self.door.settings
        values = {
            "next": following,
            "problem": visit.text(key) if key else "",
            "local": any(each.password_hash for each in settings.users.values()),
            "oidc": settings.oidc is not None,
        }
        return self.handling.responses.of(
            request, visit, Html("sign_in.html", values, status=status)
        )


def _password(visit: ConsoleVisit) -> str:
    # White space at its ends belongs to a password.
    found = visit.form.every("password")
    return found[0][:_LONGEST] if found else ""


def local_path(text: str) -> str:
    """Return a path of the console, `/` for anything that leads elsewhere."""
    parts = urlsplit(text)
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    if not is_path or parts.scheme or parts.netloc or any(ord(each) < ord(" ") for each in text):
        return "/"
    return text
