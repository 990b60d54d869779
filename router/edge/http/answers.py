"""Answers to requests and their bytes, also those to malformed requests and under overload."""

from dataclasses import dataclass
from functools import cached_property

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from router.edge.http.bounds import Header

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Response:
    """HTTP answer to a delivery."""

    status: int
    body: bytes
    content_type: str = TEXT
    headers: tuple[Header, ...] = ()
    closes: bool = False
    """Whether it is sent before the whole request has arrived, and so closes the connection."""

    @property
    def head(self) -> list[Header]:
        """Its headers, in order."""
        return [
            (b"content-type", self.content_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
            *(((b"connection", b"close"),) if self.closes else ()),
        ]

    @cached_property
    def kept_open(self) -> bytes:
        """The bytes that uvicorn writes for it on a connection that stays open.

        An endpoint has one answer for all that it accepts.
        """
        return written(self, keep_alive=True)


def written(response: Response, *, keep_alive: bool) -> bytes:
    """Return the bytes that uvicorn writes for an answer to a POST."""
    lines = [b"%b: %b\r\n" % header for header in response.head]
    if not keep_alive and not response.closes:
        lines.append(b"connection: close\r\n")
    return b"".join([STATUS_LINE[response.status], *lines, b"\r\n", response.body])


_CLOSE = b"connection: close\r\n"
_RETRY = b"retry-after: 5\r\n"


def _answer(status: int, text: str, *headers: bytes) -> bytes:
    body = text.encode()
    lines = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    return b"".join([STATUS_LINE[status], lines, *headers, b"\r\n", body])


MALFORMED_ANSWERS = {
    400: _answer(400, "bad request\n", _CLOSE),
    431: _answer(431, "request header fields too large\n", _CLOSE),
}
"""Answers to requests that are not acceptable HTTP, by status; each ends the connection."""

_SHED = {
    False: _answer(503, "not kept, send again\n", _RETRY),
    True: _answer(503, "not kept, send again\n", _RETRY, _CLOSE),
}


def shed_answer(method: bytes, *, closes: bool) -> bytes:
    """Return the answer to a request that is refused under overload, without a body for HEAD."""
    answer = _SHED[closes]
    return answer[: answer.index(b"\r\n\r\n") + 4] if method == b"HEAD" else answer
