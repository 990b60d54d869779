"""Plain requests, which the edge handles without an ASGI task: they are most of its work.

A plain request is a POST under HTTP/1.1 with a Content-Length that keeps its connection open, asks
for nothing else, and comes first among the bytes of a read, while no request of its connection is
open. It is held until the bytes that were read with its head are parsed. If it is whole by then, it
is handled at once; else the application gets it, which reads the rest of its body within the limits
and the deadline.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from router.edge.http.answers import Response, written
from router.edge.http.request_head import RequestHead

HandleWhole = Callable[[bytes, Callable[[Response], None]], None]
"""Handles a request with its body; calls a function once with the answer, now or later."""

HoldRequest = Callable[[RequestHead], HandleWhole | None]
"""Returns what handles a request once it is whole; None if the application must decide about it."""

_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


def is_plain(head: RequestHead, version: str) -> bool:
    """Return whether a head that keeps its connection open is that of a plain request."""
    if head.method != "POST" or version != "1.1":
        return False
    names = {name for name, _ in head.headers}
    return b"content-length" in names and names.isdisjoint(_UNUSUAL)


class HeldRequest:
    """A plain request whose body is arriving."""

    __slots__ = ("body", "handle")

    def __init__(self, handle: HandleWhole) -> None:
        """Start without a body."""
        self.handle = handle
        self.body: list[bytes] = []


class _NoEvent:
    """In the place of an event that nothing waits for."""

    def set(self) -> None:
        """Do nothing."""


class DirectExchange:
    """A plain request that has arrived whole, until its answer.

    It has the attributes of uvicorn's `RequestResponseCycle` that a connection reads and sets, so
    that requests pipelined behind it, the end of the connection and the stop of the server need
    no other code.
    """

    __slots__ = ("_on_answered", "_transport", "disconnected", "keep_alive", "response_complete")

    message_event = _NoEvent()
    more_body = False

    def __init__(self, transport: asyncio.Transport, on_answered: Callable[[], None]) -> None:
        """Wait for the answer; `on_answered` is called once it is written."""
        self._transport = transport
        self._on_answered = on_answered
        self.keep_alive = True
        self.disconnected = self.response_complete = False

    @property
    def response_started(self) -> bool:
        """Whether its answer is written, which happens in one step."""
        return self.response_complete

    def answer(self, response: Response) -> None:
        """Write the answer, unless the sender has disconnected."""
        if self.disconnected:
            return
        self.response_complete = True
        if self.keep_alive:
            self._transport.write(response.kept_open)
        else:
            self._transport.write(written(response, keep_alive=False))
            self._transport.close()
        self._on_answered()
