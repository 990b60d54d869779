"""The application: the routes of pages, sign-in and static files; all else is unknown."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumers.console.serving.admission import Admitted
from consumers.console.serving.handling import RequestHandling
from consumers.console.serving.headers import KEPT
from consumers.console.serving.responses import secured
from consumers.console.serving.sign_in import SignIn
from consumers.console.serving.static_files import StaticFile
from consumers.console.web.page import ConsolePage
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit

_EVERY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def make_application(
    handling: RequestHandling,
    sign_in: SignIn,
    pages: Sequence[ConsolePage],
    static: Mapping[str, StaticFile],
) -> Starlette:
    """Return the ASGI application."""
    opened = handling.open_endpoint
    routes = [
        *_of_pages(handling, pages),
        Route("/sign-in", opened(sign_in.show), methods=["GET"]),
        Route("/sign-in", opened(sign_in.check), methods=["POST"]),
        Route("/sign-out", opened(sign_in.leave), methods=["POST"]),
        *_of_static(static),
        Route("/{path:path}", opened(_unknown), methods=list(_EVERY_METHOD)),
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


def _of_static(static: Mapping[str, StaticFile]) -> Iterator[Route]:
    for name, file in static.items():
        yield Route(f"/static/{name}", _serve(file), methods=["GET"])


def _serve(file: StaticFile) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        response = Response(file.body, media_type=file.media_type)
        return secured(response, {"cache-control": KEPT})

    return endpoint


async def _unknown(_request: Request, _visit: ConsoleVisit, _admitted: Admitted) -> Response:
    raise NotThere
