"""Limits of one connection in bytes and seconds, and checks of a request head."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httptools

Header = tuple[bytes, bytes]


class MalformedRequest(Exception):  # noqa: N818 - named after the event
    """The bytes are not acceptable HTTP; answered with `status`, then the connection is closed.

    `reason` is a label of a metric and a field of the log.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        """Store the reason, which never contains what was sent."""
        super().__init__(reason)
        self.reason = reason
        self.status = status


class NoMoreRequests(Exception):  # noqa: N818 - named after the event
    """The connection is closing: the rest of the bytes already read is not parsed."""


NOT_HTTP = "not_http"
HEAD_TOO_LARGE = "head_too_large"
FRAMING_TOO_LARGE = "framing_too_large"
TOO_MANY_PIPELINED = "too_many_pipelined"
VERSION = "version"
HOST = "host"
TRANSFER_CODING = "transfer_coding"

REASONS = (
    NOT_HTTP,
    HEAD_TOO_LARGE,
    FRAMING_TOO_LARGE,
    TOO_MANY_PIPELINED,
    VERSION,
    HOST,
    TRANSFER_CODING,
)
"""Every reason why a request can be malformed."""


@dataclass(frozen=True)
class HttpBounds:
    """Limits of one connection, in bytes and seconds.

    `head_bytes` limits target and headers together. `framing_bytes` limits the framing of a body
    (chunk sizes, chunk extensions, trailers) beyond the size of the body itself: the framing of a
    chunk may be as large as its content. `piece_bytes` is parsed before the limits are checked.
    `write_seconds` is how long the other side may leave answers unread, even after a close.
    `give_way_seconds` is how long a connection that gave way may take to close.
    `linger_*` limit what is still read after an early answer, so that the answer arrives.
    """

    head_bytes: int = 32 * 1024
    framing_bytes: int = 16 * 1024
    piece_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    idle_seconds: float = 5.0
    handshake_seconds: float = 5.0
    write_seconds: float = 5.0
    give_way_seconds: float = 0.1
    linger_bytes: int = 64 * 1024
    linger_seconds: float = 2.0
    pipelined: int = 16


def check_head(version: str, headers: Sequence[Header]) -> None:
    """Raise MalformedRequest if the head is ambiguous about host or framing.

    A proxy in front may read an ambiguous head differently (request smuggling), so RFC 9112
    requires 400 unless there is exactly one Host under HTTP/1.1 (section 3.2), and `chunked` is
    the only transfer coding, without a Content-Length (section 6.1).
    """
    if version not in {"1.0", "1.1"}:
        raise MalformedRequest(VERSION)
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    if hosts > 1 or (version == "1.1" and not hosts):
        raise MalformedRequest(HOST)
    if b"transfer-encoding" not in names:
        return
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings != [b"chunked"] or version == "1.0" or b"content-length" in names:
        raise MalformedRequest(TRANSFER_CODING)


def checked_target(target: bytes) -> httptools.parser.url_parser.URL:
    """Return the target, or raise MalformedRequest unless it is a path or URL in ASCII."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise MalformedRequest(NOT_HTTP) from None
    if url.path is None or not url.path.isascii():
        raise MalformedRequest(NOT_HTTP)
    return url


class Framing:
    """The bytes of one message: of its head until that ends, then of chunk sizes and trailers.

    Only pieces that belong to one message as a whole are counted.
    """

    __slots__ = ("_body_before", "body", "boundary", "bytes")

    def __init__(self) -> None:
        """Start with the first byte of a message, which may be anywhere in a piece."""
        self.bytes = self.body = self._body_before = 0
        self.boundary = True
        """Whether the current piece has the beginning or the end of a head or of a message."""

    def begin_piece(self) -> None:
        """Begin to parse a piece."""
        self._body_before, self.boundary = self.body, False

    def end_head(self) -> None:
        """Count the framing of the body from now on."""
        self.bytes, self.boundary = 0, True

    def end_piece(self, size: int) -> None:
        """Count a piece: what is not body is framing."""
        if not self.boundary:
            self.bytes += size - (self.body - self._body_before)

    def problem(self, bounds: HttpBounds, *, in_head: bool) -> MalformedRequest | None:
        """Return why there are too many of them, None if there are not."""
        if in_head:
            too_large = self.bytes > bounds.head_bytes
            return MalformedRequest(HEAD_TOO_LARGE, 431) if too_large else None
        too_large = self.bytes > bounds.framing_bytes + self.body
        return MalformedRequest(FRAMING_TOO_LARGE) if too_large else None


class TimeLimit:
    """Calls a function after so many seconds, unless it is stopped or set again before.

    A timer stays when the limit is stopped or set later, and is set again when it fires: a limit
    that is set for every request needs one timer now and then, not one for every request.
    """

    __slots__ = ("_due", "_expire", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[], None]) -> None:
        """Start without a limit."""
        self._loop = loop
        self._expire = expire
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether it will call it, if it is not stopped before."""
        return self._due is not None

    def set(self, seconds: float) -> None:
        """Call it after so many seconds from now."""
        due = self._due = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > due:
            self._drop_timer()
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._pass)

    def stop(self) -> None:
        """Call it no more."""
        self._due = None

    def end(self) -> None:
        """Call it no more, and keep no timer."""
        self._due = None
        self._drop_timer()

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass(self) -> None:
        due, self._timer = self._due, None
        if due is None:
            return
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._pass)
            return
        self._due = None
        self._expire()
