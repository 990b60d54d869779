"""The answer to a request, and its bytes on the wire."""

from dataclasses import dataclass
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from router.edge.http.bounds import Header

TEXT = "text/plain; charset=utf-8"

_ANSWERS = 256
"""Answers whose bytes are remembered: a few for each endpoint."""


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


@lru_cache(maxsize=_ANSWERS)
def written(response: Response, *, keep_alive: bool) -> bytes:
    """Return the bytes that uvicorn writes for an answer to a POST."""
    lines = [b"%b: %b\r\n" % header for header in response.head]
    if not keep_alive and not response.closes:
        lines.append(b"connection: close\r\n")
    return b"".join([STATUS_LINE[response.status], *lines, b"\r\n", response.body])
