"""The application: the routes of pages, sign-in and static files; all else is unknown."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumers.console.access.oidc import CALLBACK
from consumers.console.serving.handling import RequestHandling
from consumers.console.serving.headers import KEPT
from consumers.console.serving.oidc_sign_in import OidcSignIn
from consumers.console.serving.responses import secured
from consumers.console.serving.sign_in import SignIn
from consumers.console.serving.static_files import StaticFile
from consumers.console.web.page import ConsolePage

_EVERY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def make_application(
    handling: RequestHandling,
    sign_in: SignIn,
    pages: Sequence[ConsolePage],
    static: Mapping[str, StaticFile],
    oidc: OidcSignIn | None = None,
) -> Starlette:
    """Return the ASGI application."""
    opened = handling.open_endpoint
    routes = [
        *_of_pages(handling, pages),
        Route("/sign-in", opened(sign_in.show), methods=["GET"]),
        Route("/sign-in", opened(sign_in.check), methods=["POST"]),
        Route("/sign-out", opened(sign_in.leave), methods=["POST"]),
        *_of_oidc(handling, oidc),
        *_of_static(static),
        Route("/{path:path}", handling.unknown, methods=list(_EVERY_METHOD)),
    ]
    application = Starlette(routes=routes)
    application.router.redirect_slashes = False
    return application


def _of_pages(handling: RequestHandling, pages: Sequence[ConsolePage]) -> Iterator[Route]:
    for page in pages:
        base = f"/{page.name}" if page.name else ""
        for route in page.routes:
            endpoint = handling.endpoint(route)
            yield Route(base + route.path, endpoint, methods=[route.method])


def _of_oidc(handling: RequestHandling, oidc: OidcSignIn | None) -> Iterator[Route]:
    if oidc is not None:
        yield Route("/sign-in/oidc", handling.open_endpoint(oidc.begin), methods=["GET"])
        yield Route(CALLBACK, handling.open_endpoint(oidc.finish), methods=["GET"])


def _of_static(static: Mapping[str, StaticFile]) -> Iterator[Route]:
    for name, file in static.items():
        yield Route(f"/static/{name}", _serve(file), methods=["GET"])


def _serve(file: StaticFile) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        response = Response(file.body, media_type=file.media_type)
        return secured(response, {"cache-control": KEPT})

    return endpoint
