"""Sign-in by the OpenID Connect provider."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consumers.console.access.oidc import (
    CALLBACK,
    IdentityRefused,
    OidcClient,
    OidcStart,
    ProviderUnusable,
)
from consumers.console.serving.admission import Admitted
from consumers.console.serving.sign_in import SignIn, local_path
from consumers.console.web.answers import Redirect
from consumers.console.web.visit import ConsoleVisit

_START_SECONDS: Final = 600
_COOKIE: Final = "oidc"


@dataclass(frozen=True)
class OidcSignIn:
    """Handlers of `/sign-in/oidc` and of the path to which the provider returns people."""

    sign_in: SignIn
    client: OidcClient
    signer: Callable[[], URLSafeTimedSerializer]

    async def begin(self, request: Request, visit: ConsoleVisit, _admitted: Admitted) -> Response:
        """Send the person to the provider."""
        start = OidcStart.new(local_path(visit.query.one("next", "/")))
        try:
            url = await asyncio.to_thread(self.client.start_url, start)
        except ProviderUnusable as error:
            return self._failed(request, visit, str(error), 503)
        response = RedirectResponse(url, 303)
        text = str(self.signer().dumps(list(astuple(start))))
        self.sign_in.handling.responses.set_cookie(request, response, _COOKIE, text)
        return response

    async def finish(self, request: Request, visit: ConsoleVisit, _admitted: Admitted) -> Response:
        """Check what the provider returned, and begin a session."""
        start = self._start(request)
        state = visit.query.one("state")
        if start is None or not hmac.compare_digest(state.encode(), start.state.encode()):
            return self._failed(request, visit, "the state is not that of this browser", 400)
        code = visit.query.one("code")
        if not code:
            return self._failed(request, visit, "the provider returned no code", 401)
        try:
            identity = await asyncio.to_thread(self.client.identity, code, start)
        except ProviderUnusable as error:
            return self._failed(request, visit, str(error), 503)
        except IdentityRefused as error:
            return self._failed(request, visit, str(error), 401)
        return self._admitted(request, visit, identity.name, identity.groups, start.following)

    def _admitted(
        self, request: Request, visit: ConsoleVisit, name: str, groups: object, following: str
    ) -> Response:
        door, handling = self.sign_in.door, self.sign_in.handling
        known = [str(each) for each in groups] if isinstance(groups, list | tuple) else []
        # Only groups that are configured: a cookie has little room.
        known = [each for each in known if each in door.people.settings.groups]
        if door.people.named(name, known) is None:
            return self._failed(request, visit, f"{name} has no role", 403, "not_ours")
        handling.log.info("console_signed_in", person=name, source=door.source(request))
        session = door.sessions.by_provider(name, known, int(door.seconds()))
        response = handling.responses.of(request, visit, Redirect(following))
        handling.responses.set_cookie(request, response, "session", door.sessions.cookie(session))
        handling.responses.delete_cookie(request, response, _COOKIE)
        return response

    def _failed(
        self,
        request: Request,
        visit: ConsoleVisit,
        why: str,
        status: int,
        key: str = "provider_failed",
    ) -> Response:
        handling = self.sign_in.handling
        handling.metrics.refused.labels("sign_in").inc()
        handling.log.warning(
            "console_sign_in_refused",
            reason="provider",
            error=why,
            source=self.sign_in.door.source(request),
        )
        response = self.sign_in.form(request, visit, "/", f"web.sign_in.{key}", status)
        handling.responses.delete_cookie(request, response, _COOKIE)
        return response

    def _start(self, request: Request) -> OidcStart | None:
        cookie = request.cookies.get(self.sign_in.door.cookie_name(_COOKIE, request), "")
        try:
            return OidcStart(*self.signer().loads(cookie, max_age=_START_SECONDS))
        except (BadSignature, TypeError):
            return None


def make_oidc_sign_in(sign_in: SignIn) -> OidcSignIn | None:
    """Return the sign-in by the configured provider, None without one."""
    settings = sign_in.door.settings
    if settings.oidc is None or settings.public_url is None:
        return None
    secret = sign_in.door.tokens.secret
    client = OidcClient(settings.oidc, settings.public_url + CALLBACK)
    signer = partial(URLSafeTimedSerializer, secret, salt="payrouter console oidc")
    return OidcSignIn(sign_in, client, signer)
