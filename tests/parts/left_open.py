"""Fails the test that leaves a connection to PostgreSQL open.

Otherwise the garbage collector closes it in a later test, after its event loop, and that test
fails in its place.
"""

import gc
import sys
from asyncio import BaseTransport
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
        self._sockets: list[TransportSocket] = []

    def note(self, transport: BaseTransport) -> None:
        """Add the socket of a connection."""
        self._sockets.append(transport.get_extra_info("socket"))

    def take(self) -> list[str]:
        """Describe the sockets that are still open, and forget all."""
        left = [repr(each) for each in self._sockets if each.fileno() >= 0]
        self._sockets.clear()
        return left


SOCKETS: Final = OpenSockets()
"""Sockets that the current test has opened."""


def pytest_configure() -> None:
    """Note every connection that asyncpg opens from now on."""

    def note(_self: object, _protocol: object, transport: BaseTransport, *_: object) -> None:
        SOCKETS.note(transport)

    before(asyncpg.Connection, "__init__", note)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Fail a test after whose teardown a connection is open.

    If the tests of a module share an event loop, and so the pools of a system that runs in it, only
    the last of them has to leave none.
    """
    yield
    if nextitem is not None and _module_of_loop(item) == _module_of_loop(nextitem) is not None:
        return
    if left := SOCKETS.take():
        with _unheard():
            gc.collect()
        pytest.fail(f"connections left open: {', '.join(left)}", pytrace=False)


def _module_of_loop(item: pytest.Item) -> pytest.Module | None:
    """Return the module whose event loop a test shares, None if it has a loop of its own."""
    marker = item.get_closest_marker("asyncio")
    shares = marker is not None and marker.kwargs.get("loop_scope") == "module"
    return item.getparent(pytest.Module) if shares else None


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
