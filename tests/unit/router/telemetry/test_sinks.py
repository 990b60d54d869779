"""Sinks write without waiting, and leave the descriptor that others share as it is."""

import contextlib
import io
import os
import pty
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.telemetry import sinks
from router.telemetry.sinks import Sink, sink_of


@dataclass(frozen=True)
class Ends:
    """A descriptor to write to, and how to read what arrives."""

    descriptor: int
    read: Callable[[], bytes]


def _pipe(stack: ExitStack) -> Ends:
    ours, theirs = os.pipe()
    stack.callback(os.close, ours)
    stack.callback(os.close, theirs)
    return Ends(theirs, lambda: os.read(ours, 1 << 20))


def _terminal(stack: ExitStack) -> Ends:
    ours, theirs = pty.openpty()
    stack.callback(os.close, ours)
    stack.callback(os.close, theirs)
    return Ends(theirs, lambda: os.read(ours, 1 << 20))


def _socket(stack: ExitStack) -> Ends:
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    stack.enter_context(theirs)
    return Ends(theirs.fileno(), lambda: ours.recv(1 << 20))


@pytest.fixture(params=[_pipe, _terminal, _socket], ids=["pipe", "terminal", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Give both ends of something that a reader must read."""
    with ExitStack() as stack:
        yield request.param(stack)


def _sink(descriptor: int) -> Sink:
    return sink_of(os.fdopen(descriptor, "w", encoding="utf-8", closefd=False))


def _fill(sink: Sink) -> None:
    """Write until nothing more fits: ends only with that error."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sink.send(b"x" * 1000 + b"\n")


def test_data_arrives(ends: Ends) -> None:
    assert _sink(ends.descriptor).send(b"a line") == 6

    assert ends.read() == b"a line"


def test_full_descriptor_does_not_block_and_continues_once_it_is_read(ends: Ends) -> None:
    sink = _sink(ends.descriptor)
    _fill(sink)

    ends.read()
    sink.wait(20)

    assert sink.send(b"more\n") == 5


def test_shared_descriptor_stays_blocking_for_others(ends: Ends) -> None:
    _fill(_sink(ends.descriptor))

    assert os.get_blocking(ends.descriptor)


def test_pipe_that_cannot_be_opened_again_is_polled_before_each_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_descriptor: int) -> int:
        raise PermissionError

    monkeypatch.setattr(sinks, "_opened_again", refused)
    with ExitStack() as stack:
        ends = _pipe(stack)
        sink = _sink(ends.descriptor)
        assert sink.send(b"x" * 100_000) < 100_000
        _fill(sink)
        ends.read()
        sink.wait(20)
        assert sink.send(b"more\n") == 5


def test_file_is_continued_where_it_ends(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8", buffering=1) as file:
        file.write("before\n")
        sink = sink_of(file)
        sink.send(b"a line\n")
        sink.wait(0)
        file.write("after\n")

    assert (tmp_path / "log").read_text(encoding="utf-8") == "before\na line\nafter\n"


def test_stream_without_descriptor_gets_text() -> None:
    stream = io.StringIO()
    sink = sink_of(stream)

    sink.send("größer\n".encode())
    sink.wait(0)

    assert stream.getvalue() == "größer\n"


def test_closed_pipe_raises() -> None:
    ours, theirs = os.pipe()
    sink = _sink(theirs)
    os.close(ours)

    with pytest.raises(BrokenPipeError):
        sink.send(b"lost\n")
    os.close(theirs)
