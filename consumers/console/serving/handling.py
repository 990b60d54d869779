"""Handles one request: host, person, token, role, page, answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from structlog.typing import FilteringBoundLogger

from consumers.console.serving.admission import NOBODY, Admitted, ConsoleDoor
from consumers.console.serving.headers import host_of, is_own_origin, known_hosts
from consumers.console.serving.metrics import ConsoleMetrics
from consumers.console.serving.preferences import PreferenceReader, preference_cookie
from consumers.console.serving.responses import ResponseMaker, download_response, secured
from consumers.console.web.answers import Download, Html
from consumers.console.web.form_fields import FormFields
from consumers.console.web.page import PageRoute
from consumers.console.web.problems import (
    NotPermitted,
    NotSignedIn,
    NotThere,
    PageProblem,
    ReadOnly,
    TooLarge,
    TooSlow,
    WrongHost,
    WrongInput,
    WrongOrigin,
)
from consumers.console.web.sources import ConsoleSources
from consumers.console.web.visit import ConsoleVisit
from router.configuration.process_settings import ConsoleSettings

FORM_BYTES: Final = 256 * 1024
_FAILED: Final = 500
_LONGEST_LOGGED: Final = 200

_Answering = Callable[[Request, ConsoleVisit, Admitted], Awaitable[Response]]


@dataclass
class _Asked:
    """One request, its browser, and its person once that is known."""

    request: Request
    browser: str
    admitted: Admitted = field(default_factory=Admitted)


@dataclass(frozen=True)
class RequestHandling:
    """What every request needs."""

    sources: ConsoleSources
    door: ConsoleDoor
    preferences: PreferenceReader
    responses: ResponseMaker
    metrics: ConsoleMetrics
    log: FilteringBoundLogger

    def endpoint(self, route: PageRoute) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page's route."""
        return partial(self._handle, partial(self._of_route, route))

    def open_endpoint(self, answer: _Answering) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint for everybody, signed in or not; forms need the token here, too."""
        return partial(self._handle, answer)

    async def unknown(self, request: Request) -> Response:
        """Answer a path that the console does not have, for everybody alike, without its body."""
        browser = request.cookies.get(self.door.cookie_name("browser", request), "")
        asked = _Asked(request, browser or self.door.tokens.new_browser())
        try:
            self._check_host(request)
            asked.admitted = self._admitted(request)
        except PageProblem as problem:
            return secured(self._refused(asked, problem))
        return secured(self._refused(asked, NotThere()))

    async def _handle(self, answer: _Answering, request: Request) -> Response:
        began = time.perf_counter()
        browser = request.cookies.get(self.door.cookie_name("browser", request), "")
        asked = _Asked(request, browser or self.door.tokens.new_browser())
        try:
            response = await self._answered(asked, answer)
            self.metrics.requests.labels("answered").inc()
        except PageProblem as problem:
            response = self._refused(asked, problem)
        except TimeoutError:
            response = self._refused(asked, TooSlow(self.settings.request_seconds))
        except Exception:
            self.metrics.requests.labels("failed").inc()
            self.log.exception("console_failed", path=request.url.path[:_LONGEST_LOGGED])
            response = self._problem(asked, PageProblem("web.problem.failed"))
        self.metrics.seconds.observe(time.perf_counter() - began)
        return self._finished(asked, response)

    async def _answered(self, asked: _Asked, answer: _Answering) -> Response:
        request = asked.request
        self._check_host(request)
        asked.admitted = self._admitted(request)
        async with asyncio.timeout(self.settings.request_seconds):
            form = await self._form(asked)
            query = _parsed(request.url.query, "query").without("lang", "zone")
            visit = replace(self._visit(asked), form=form, query=query)
            return await answer(request, visit, asked.admitted)

    @property
    def settings(self) -> ConsoleSettings:
        """The settings of the console."""
        return self.sources.settings.console

    async def _of_route(
        self, route: PageRoute, request: Request, visit: ConsoleVisit, _admitted: Admitted
    ) -> Response:
        if visit.viewer is NOBODY:
            raise NotSignedIn
        if not visit.viewer.may_somewhere(route.needs):
            raise NotPermitted
        if route.acts and not self.sources.settings.console.actions:
            raise ReadOnly
        answer = await route.handler(visit)
        if isinstance(answer, Download):
            return await download_response(answer)
        return self.responses.of(request, visit, answer)

    def _check_host(self, request: Request) -> None:
        if host_of(request.headers.get("host", "")) not in known_hosts(self.door.settings):
            raise WrongHost

    def _admitted(self, request: Request) -> Admitted:
        admitted = self.door.admit(request)
        if admitted.refused:
            reason = "proxy" if admitted.refused == "proxy" else "session"
            self.metrics.refused.labels(reason).inc()
            self.log.warning(
                "console_person_refused",
                reason=admitted.refused,
                source=self.door.source(request),
            )
        return admitted

    async def _form(self, asked: _Asked) -> FormFields:
        request, headers = asked.request, asked.request.headers
        if request.method != "POST":
            return FormFields()
        fields = _parsed((await _body(request)).decode("utf-8", "replace"), "form")
        public, host = self.settings.public_url, headers.get("host", "")
        if not is_own_origin(headers.get("origin"), headers.get("sec-fetch-site"), host, public):
            raise WrongOrigin
        name = asked.admitted.viewer.name
        if not self.door.tokens.is_csrf(fields.one("csrf"), asked.browser, name):
            raise WrongOrigin
        return fields.without("csrf")

    def _visit(self, asked: _Asked) -> ConsoleVisit:
        request, viewer, tokens = asked.request, asked.admitted.viewer, self.door.tokens
        chosen = request.cookies.get(self.door.cookie_name("choice", request), "")
        done = request.cookies.get(self.door.cookie_name("done", request), "")
        return ConsoleVisit(
            viewer=viewer,
            sources=self.sources,
            preferences=self.preferences.of(request, chosen),
            now=self.sources.clock(),
            path=request.url.path,
            parts=request.path_params,
            csrf=tokens.csrf(asked.browser, viewer.name),
            done=tokens.read_message(done) if done else "",
        )

    def _refused(self, asked: _Asked, problem: PageProblem) -> Response:
        request = asked.request
        if problem.status >= _FAILED:
            self.metrics.requests.labels("failed").inc()
        else:
            self.metrics.requests.labels("refused").inc()
            self.metrics.refused.labels(problem.reason).inc()
        self.log.warning(
            "console_refused",
            reason=problem.reason,
            method=request.method,
            path=request.url.path[:_LONGEST_LOGGED],
            person=asked.admitted.viewer.name,
            source=self.door.source(request),
        )
        if isinstance(problem, NotSignedIn) and request.method == "GET":
            return _to_sign_in(request)
        return self._problem(asked, problem)

    def _problem(self, asked: _Asked, problem: PageProblem) -> Response:
        visit = self._visit(asked)
        values = {"problem": problem, "sentence": visit.text(problem.key, **problem.values)}
        return self.responses.of(
            asked.request, visit, Html("problem.html", values, status=problem.status)
        )

    def _finished(self, asked: _Asked, response: Response) -> Response:
        request, responses, session = asked.request, self.responses, asked.admitted.session
        if not request.cookies.get(self.door.cookie_name("browser", request)):
            responses.set_cookie(request, response, "browser", asked.browser)
        if {"lang", "zone"} & set(request.query_params):
            chosen = preference_cookie(self._visit(asked).preferences)
            responses.set_cookie(request, response, "choice", chosen, kept=True)
        # An open page that updates itself does not keep its person signed in.
        used = session is not None and "hx-request" not in request.headers
        if used and session is not None and session.id not in self.door.sessions.ended:
            now = int(self.door.seconds())
            renewed = self.door.sessions.renewed(session, now)
            responses.set_cookie(request, response, "session", self.door.sessions.cookie(renewed))
        if asked.admitted.refused not in {"", "proxy"}:
            responses.delete_cookie(request, response, "session")
        return secured(response)


def _to_sign_in(request: Request) -> Response:
    if "hx-request" in request.headers:
        # The page reloads as a whole: a part of it cannot show the form.
        return Response(status_code=NotSignedIn.status, headers={"hx-refresh": "true"})
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': path})}", 303)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise TooLarge
    return bytes(body)


def _parsed(text: str, what: str) -> FormFields:
    try:
        return FormFields.parsed(text)
    except ValueError:
        raise WrongInput(what, "at most 2000 fields, none with NUL") from None
