"""Turns answers into HTTP responses, with the headers that all of them have."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from consumers.console.serving.admission import ConsoleDoor
from consumers.console.serving.headers import NOT_KEPT, SECURE
from consumers.console.serving.rendering import PageRenderer
from consumers.console.web.answers import Download, Html, Redirect
from consumers.console.web.visit import ConsoleVisit

_SEE_OTHER: Final = 303
_YEAR_SECONDS: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class ResponseMaker:
    """Makes responses."""

    renderer: PageRenderer
    door: ConsoleDoor

    def of(self, request: Request, visit: ConsoleVisit, answer: Html | Redirect) -> Response:
        """Return the response of an answer."""
        match answer:
            case Html():
                text = self.renderer.render(visit, answer)
                response: Response = HTMLResponse(text, answer.status)
                if visit.done:
                    response.delete_cookie(self.door.cookie_name("done", request))
            case Redirect():
                response = RedirectResponse(answer.path, _SEE_OTHER)
                if answer.done:
                    message = self.door.tokens.message(answer.done)
                    self.set_cookie(request, response, "done", message)
        return response

    def set_cookie(
        self, request: Request, response: Response, purpose: str, text: str, *, kept: bool = False
    ) -> None:
        """Set a cookie that no script can read and no other site can send with a form."""
        response.set_cookie(
            self.door.cookie_name(purpose, request),
            text,
            max_age=_YEAR_SECONDS if kept else None,
            httponly=True,
            secure=self.door.is_secure(request),
            samesite="lax",
        )

    def delete_cookie(self, request: Request, response: Response, purpose: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(
            self.door.cookie_name(purpose, request),
            secure=self.door.is_secure(request),
            httponly=True,
            samesite="lax",
        )


def secured(response: Response, extra: Mapping[str, str] | None = None) -> Response:
    """Return a response with the headers that all of them have."""
    response.headers.update({**SECURE, "cache-control": NOT_KEPT, **(extra or {})})
    return response


async def download_response(answer: Download) -> Response:
    """Return the response of a download, once its first rows are read."""
    # A database that is away shows before the status is sent.
    first = await anext(answer.chunks, "")
    disposition = f'attachment; filename="{answer.name}"'
    return StreamingResponse(
        _encoded(first, answer.chunks),
        media_type=answer.media_type,
        headers={"content-disposition": disposition},
    )


async def _encoded(first: str, chunks: AsyncIterator[str]) -> AsyncIterator[bytes]:
    yield first.encode()
    async for chunk in chunks:
        yield chunk.encode()
