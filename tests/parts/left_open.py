"""Fails the test that leaves a connection to PostgreSQL open.

Otherwise the garbage collector closes it in a later test, after its event loop, and that test
fails in its place.
"""

import gc
import sys
from asyncio import AbstractEventLoop, BaseTransport
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from tests.parts.secrecy.recorder import before

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket


class OpenSockets:
    """Sockets of asyncpg's connections, in the order in which they were opened."""

    def __init__(self) -> None:
        """Know none yet."""
        self._sockets: list[tuple[AbstractEventLoop, TransportSocket]] = []

    def note(self, loop: AbstractEventLoop, transport: BaseTransport) -> None:
        """Add the socket of a connection, and the loop that the connection belongs to."""
        self._sockets.append((loop, transport.get_extra_info("socket")))

    def take(self) -> list[str]:
        """Describe the open sockets of closed loops, and forget them.

        Fixtures of a module keep connections, and their loop, beyond a test.
        """
        held = [each for each in self._sockets if each[1].fileno() >= 0]
        self._sockets = [each for each in held if not each[0].is_closed()]
        return [repr(socket) for loop, socket in held if loop.is_closed()]


SOCKETS: Final = OpenSockets()
"""Sockets that are open, or were when a test ended."""


def pytest_configure() -> None:
    """Note every connection that asyncpg opens from now on."""

    def note(
        _self: object,
        _protocol: object,
        transport: BaseTransport,
        loop: AbstractEventLoop,
        *_: object,
    ) -> None:
        SOCKETS.note(loop, transport)

    before(asyncpg.Connection, "__init__", note)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fail a test after whose teardown a connection is open and its loop closed."""
    yield
    if left := SOCKETS.take():
        with _unheard():
            gc.collect()
        pytest.fail(f"connections left open: {', '.join(left)}", pytrace=False)


@contextmanager
def _unheard() -> Iterator[None]:
    """Ignore the errors of finalizers: the connections that cause them are reported."""

    def ignore(_: Any) -> None:  # noqa: ANN401 - what Python reports
        return

    hook, sys.unraisablehook = sys.unraisablehook, ignore
    try:
        yield
    finally:
        sys.unraisablehook = hook
