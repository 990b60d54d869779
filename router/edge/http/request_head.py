"""A request whose head has arrived, as the edge sees it."""

from collections.abc import Sequence
from typing import NamedTuple

from router.edge.http.admission import Visit
from router.edge.http.bounds import Header, checked_target


class RequestHead(NamedTuple):
    """The head of a request. Names of headers are in lower case, in order, with values as sent.

    `peer` is the address of the other end, None if it has none. `first_byte_at` is when the first
    byte arrived, in seconds of `time.monotonic`. `visit` is its connection in the budget of
    unverified requests, None if another server accepted it.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[Header]
    peer: str | None
    first_byte_at: float
    visit: Visit | None


def head_of(
    method: bytes, target: bytes, headers: Sequence[Header], first_byte_at: float, visit: Visit
) -> RequestHead:
    """Return the head of a request; raise MalformedRequest unless its target is a path or URL."""
    url, peer = checked_target(target), visit.peer or None
    query = url.query or b""
    return RequestHead(method.decode(), url.path, query, headers, peer, first_byte_at, visit)


def without_offer(method: bytes, target: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """Return the bytes of a head without the offer of another protocol."""
    lines = [b"%b: %b\r\n" % (name, value) for name, value in headers if name != b"upgrade"]
    return b"".join([b"%b %b HTTP/%b\r\n" % (method, target, version.encode()), *lines, b"\r\n"])
